//go:build !linux

package petstoretest

import "syscall"

var endWithParent *syscall.SysProcAttr // there is no such thing here
