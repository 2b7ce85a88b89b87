package poller

func runChild() bool { return false }
