package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/draw"
	"io"
	"strings"

	"golang.org/x/image/riff"
	"golang.org/x/image/webp"
)

// Chunks of a WebP file (RFC 9649, section 2).
var (
	chunkVP8X = riff.FourCC{'V', 'P', '8', 'X'} // what the file has, and its size
	chunkANMF = riff.FourCC{'A', 'N', 'M', 'F'} // a frame of an animation
)

func isWebP(head string) bool {
	return strings.HasPrefix(head, "RIFF") && len(head) >= 12 && head[8:12] == "WEBP"
}

var errNoFrame = errors.New("webp: an animation without a frame")

// decodeWebP decodes a picture, or the first frame of an animation, which
// package webp cannot: it is given the frame as a file of its own.
func decodeWebP(r io.Reader) (image.Image, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	_, chunks, err := riff.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	id, _, chunk, err := chunks.Next()
	if err != nil {
		return nil, err
	}
	const animated = 1 << 1
	header := make([]byte, 10)
	if id != chunkVP8X {
		return webp.Decode(bytes.NewReader(data))
	}
	if _, err := io.ReadFull(chunk, header); err != nil {
		return nil, err
	}
	if header[0]&animated == 0 {
		return webp.Decode(bytes.NewReader(data))
	}
	for {
		id, _, chunk, err := chunks.Next()
		if errors.Is(err, io.EOF) {
			return nil, errNoFrame
		}
		if err != nil {
			return nil, err
		}
		if id == chunkANMF {
			return decodeFrame(header, chunk)
		}
	}
}

// decodeFrame decodes an ANMF chunk: where the frame is and how large, followed
// by the chunks of a picture (RFC 9649, section 2.7.1.1).
func decodeFrame(header []byte, chunk io.Reader) (image.Image, error) {
	data, err := io.ReadAll(chunk)
	if err != nil {
		return nil, err
	}
	const headSize = 16
	if len(data) < headSize {
		return nil, io.ErrUnexpectedEOF
	}
	whole := image.Rect(0, 0, 1+uint24(header[4:]), 1+uint24(header[7:]))
	at := image.Pt(2*uint24(data), 2*uint24(data[3:]))
	part := image.Rectangle{Min: at, Max: at.Add(image.Pt(1+uint24(data[6:]), 1+uint24(data[9:])))}
	if !part.In(whole) {
		return nil, errors.New("webp: a frame outside of its picture")
	}
	frame, err := webp.Decode(bytes.NewReader(asFile(data[6:12], data[headSize:])))
	if err != nil {
		return nil, err
	}
	picture := image.NewRGBA(whole)
	draw.Draw(picture, part, frame, frame.Bounds().Min, draw.Src)
	return picture, nil
}

// asFile makes a file of a picture's chunks. It begins with a VP8X chunk, which
// an alpha channel (ALPH) must follow, and which has the size that package webp
// holds the picture against before it takes memory for it.
func asFile(size, chunks []byte) []byte {
	var flags byte
	if bytes.HasPrefix(chunks, []byte("ALPH")) {
		flags = 1 << 4
	}
	vp8x := append([]byte{'V', 'P', '8', 'X', 10, 0, 0, 0, flags, 0, 0, 0}, size...)
	file := append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(4+len(vp8x)+len(chunks)))...) //nolint:gosec // G115: files are bounded
	file = append(file, "WEBP"...)
	return append(append(file, vp8x...), chunks...)
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
