//go:build !linux

package main

import "syscall"

var endWithParent *syscall.SysProcAttr // there is no such thing here
