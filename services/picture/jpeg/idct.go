package jpeg

// Rotations and scalings of the transform, in fixed point: 1 is 1<<13.
const (
	fraction = 13

	c0298 = 2446  // √2·(-c1+c3+c5-c7)
	c0390 = 3196  // √2·(c5-c3), negated
	c0541 = 4433  // √2·c6
	c0765 = 6270  // √2·(c2-c6)
	c0899 = 7373  // √2·(c3-c7)
	c1175 = 9633  // √2·c3
	c1501 = 12299 // √2·(c1+c3-c5-c7)
	c1847 = 15137 // √2·(c2+c6)
	c1961 = 16069 // √2·(c3+c5)
	c2053 = 16819 // √2·(c1+c3-c5+c7)
	c2562 = 20995 // √2·(c1+c3)
	c3072 = 25172 // √2·(c1+c3+c5-c7)
)

// inverseDCT makes the 8×8 samples of a block: the algorithm of Loeffler, Ligtenberg
// and Moschytz (ICASSP 1989) in integers, with two more bits between columns and rows,
// as libjpeg has it, so that the samples are the same.
func inverseDCT(coefs []int16, quantum *[64]uint16, to []byte, stride int) {
	var between [64]int32
	const more = 2
	for x := range 8 {
		var in, out [8]int32
		for y := range 8 {
			in[y] = int32(coefs[8*y+x]) * int32(quantum[8*y+x])
		}
		transform(&in, &out, fraction-more)
		for y := range 8 {
			between[8*y+x] = out[y]
		}
	}
	for y := range 8 {
		var out [8]int32
		transform((*[8]int32)(between[8*y:]), &out, fraction+more+3)
		line := to[y*stride : y*stride+8 : y*stride+8]
		for x, v := range out {
			line[x] = byte(min(max(v+128, 0), 255))
		}
	}
}

// transform is that of one dimension, scaled by √8 and shifted.
func transform(in, out *[8]int32, shift int) {
	// The even part.
	z := (in[2] + in[6]) * c0541
	two, six := z+in[2]*c0765, z-in[6]*c1847
	zero, four := (in[0]+in[4])<<fraction, (in[0]-in[4])<<fraction
	e0, e3, e1, e2 := zero+two, zero-two, four+six, four-six
	// The odd part.
	o0, o1, o2, o3 := in[7], in[5], in[3], in[1]
	z1, z2, z3, z4 := o0+o3, o1+o2, o0+o2, o1+o3
	z5 := (z3 + z4) * c1175
	z1, z2 = -z1*c0899, -z2*c2562
	z3, z4 = z5-z3*c1961, z5-z4*c0390
	o0, o1, o2, o3 = o0*c0298+z1+z3, o1*c2053+z2+z4, o2*c3072+z2+z3, o3*c1501+z1+z4

	round := int32(1) << (shift - 1)
	out[0], out[7] = (e0+o3+round)>>shift, (e0-o3+round)>>shift
	out[1], out[6] = (e1+o2+round)>>shift, (e1-o2+round)>>shift
	out[2], out[5] = (e2+o1+round)>>shift, (e2-o1+round)>>shift
	out[3], out[4] = (e3+o0+round)>>shift, (e3-o0+round)>>shift
}
