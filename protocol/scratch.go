package protocol

// scratchBytesMax is how much scratch space a loop keeps between messages: one huge message is not to
// hold its size for good.
const scratchBytesMax = 256 << 10

// Scratch returns b for further use, or nil where it has grown too large to keep.
func Scratch(b []byte) []byte {
	if cap(b) > scratchBytesMax {
		return nil
	}
	return b
}
