package petstoretest

import "syscall"

// endWithParent has the kernel end a process when the test that started it is killed.
var endWithParent = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
