// Package jpeg decodes the samples of JPEG files (ITU-T T.81): baseline, extended and
// progressive, of 8 bits, coded by Huffman, in every sampling that libjpeg takes.
//
// It is here because no decoder for Go does all of that. That of the standard library
// refuses what is not 4:4:4, 4:2:2, 4:2:0 or the like, has no interpolation between
// the colours of neighbours, so that edges differ from what browsers show, and takes
// twice the memory for progressive files. Its forks mend a part; libjpeg itself needs
// a C compiler.
package jpeg
