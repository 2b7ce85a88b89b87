//go:build !faulttest

package server

import "time"

// plantedFault is where a build with the tag faulttest panics at the word of a client's.
func plantedFault(uint8, []byte) {}

// wallMillis is the time of day, in Unix ms.
func wallMillis() int64 { return time.Now().UnixMilli() }
