package picturetest

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"math"
)

// Primaries of colour spaces, adapted to D50: X, Y and Z of red, green and blue.
var (
	DisplayP3 = [9]float64{0.51512, 0.24120, -0.00105, 0.29198, 0.69225, 0.04189, 0.15710, 0.06657, 0.78407}
	AdobeRGB  = [9]float64{0.60974, 0.31111, 0.01947, 0.20528, 0.62567, 0.06087, 0.14919, 0.06322, 0.74457}
)

// Profile is a colour profile (ICC.1:2001-04) with these primaries and this gamma.
func Profile(primaries [9]float64, gamma float64) []byte {
	tags := map[string][]byte{"wtpt": xyz(0.9642, 1, 0.8249)}
	for i, color := range []string{"r", "g", "b"} {
		tags[color+"XYZ"] = xyz(primaries[3*i], primaries[3*i+1], primaries[3*i+2])
		tags[color+"TRC"] = curve(gamma)
	}
	return profile("RGB ", tags)
}

// GrayProfile is a colour profile of gray with this gamma.
func GrayProfile(gamma float64) []byte {
	return profile("GRAY", map[string][]byte{"wtpt": xyz(0.9642, 1, 0.8249), "kTRC": curve(gamma)})
}

func profile(space string, tags map[string][]byte) []byte {
	const head = 128
	table := binary.BigEndian.AppendUint32(nil, uint32(len(tags))) //nolint:gosec // G115: a few
	var data []byte
	for name, tag := range tags {
		table = append(table, name...)
		table = binary.BigEndian.AppendUint32(table, uint32(head+4+12*len(tags)+len(data))) //nolint:gosec // G115: short
		table = binary.BigEndian.AppendUint32(table, uint32(len(tag)))                      //nolint:gosec // G115: short
		data = append(append(data, tag...), make([]byte, (4-len(tag)%4)%4)...)
	}
	out := make([]byte, head, head+len(table)+len(data))
	out[8] = 2 // version
	copy(out[12:], "mntr"+space+"XYZ ")
	copy(out[36:], "acsp")
	copy(out[68:], xyz(0.9642, 1, 0.8249)[8:])
	out = append(append(out, table...), data...)
	binary.BigEndian.PutUint32(out, uint32(len(out))) //nolint:gosec // G115: short
	return out
}

func xyz(x, y, z float64) []byte {
	out := []byte("XYZ \x00\x00\x00\x00")
	for _, v := range []float64{x, y, z} {
		out = binary.BigEndian.AppendUint32(out, uint32(int32(math.Round(v*65536)))) //nolint:gosec // G115: fixed point
	}
	return out
}

func curve(gamma float64) []byte {
	out := binary.BigEndian.AppendUint32([]byte("curv\x00\x00\x00\x00"), 1)
	return binary.BigEndian.AppendUint16(out, uint16(math.Round(gamma*256)))
}

// ProfileChunk is the iCCP chunk of a PNG.
func ProfileChunk(profile []byte) []byte {
	return Chunk("iCCP", append([]byte("profile\x00\x00"), Deflated(profile)...))
}

// Deflated is data as zlib compresses it.
func Deflated(data []byte) []byte {
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	_, _ = w.Write(data) // to memory
	_ = w.Close()
	return packed.Bytes()
}

// WithSegment puts a segment into a JPEG, right after its start.
func WithSegment(file []byte, marker byte, content []byte) []byte {
	out := append([]byte{0xff, 0xd8, 0xff, marker}, binary.BigEndian.AppendUint16(nil, uint16(2+len(content)))...) //nolint:gosec // G115: segments are short
	return append(append(out, content...), file[2:]...)
}

// WithProfile puts a colour profile into a JPEG.
func WithProfile(file, profile []byte) []byte {
	return WithSegment(file, 0xe2, append([]byte("ICC_PROFILE\x00\x01\x01"), profile...))
}

// WithChunks puts chunks into a PNG, after its header.
func WithChunks(file []byte, chunks ...[]byte) []byte {
	const afterIHDR = 8 + 25
	out := bytes.Clone(file[:afterIHDR])
	for _, chunk := range chunks {
		out = append(out, chunk...)
	}
	return append(out, file[afterIHDR:]...)
}
