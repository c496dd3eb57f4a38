package senders

// judgeHangsUp wants the sender to end an exchange that would never end.
func judgeHangsUp(s *scenario) func(g *grader) finding {
	return func(g *grader) finding {
		ends := g.inboxes[s.name].ends(0)
		switch {
		case len(ends) == 0:
			return notApplicable("the end of the task did not come")
		case !ends[0].hungUp:
			return fail(ends[:1], "it still waited after %s", g.Wait)
		}
		return pass(ends[0])
	}
}

func judgeFlood(g *grader) finding {
	ends := g.inboxes[flooding.name].ends(0)
	switch {
	case len(ends) == 0:
		return notApplicable("the end of the task did not come")
	case ends[0].answered >= floodLimit:
		return fail(ends[:1], "it read %d MiB of an answer that has no end", ends[0].answered>>20)
	}
	return pass(ends[0])
}

// judgeIsolation looks at the inbox beside the one that hangs.
func judgeIsolation(g *grader) finding {
	beside := g.inboxes[besideName]
	if beside.endAccepted(1) {
		return pass(beside.all()...)
	}
	return fail(g.inboxes[stuck.name].all(), "another receiver was not called within %s", g.Wait)
}

func judgeTLS(g *grader) finding {
	in := g.inboxes[untrusted.name]
	if came := in.all(); len(came) > 0 {
		return fail(came, "it sent a callback to a certificate that nobody has signed")
	}
	if in.refusals() == 0 {
		return notApplicable("it did not connect with https")
	}
	return pass()
}

func judgePrivate(g *grader) finding {
	in := g.inboxes[private.name]
	if n := in.connections(); n > 0 {
		return fail(in.all(), "it connected %d times", n)
	}
	return pass()
}
