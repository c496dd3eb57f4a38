// Package bounds keeps clients from taking more of the server than it has, or than is
// fair: bytes in memory, connections, and time to read an answer.
package bounds
