package main

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"petstore/callbacks/pause"
)

// TestRepeatsAreLimited (security 18, reliability 13): a fault that comes back hundreds of times a second is a line a second, of
// the last time, with the number of the others; none is lost count of. Other messages, and levels, are not held up.
func TestRepeatsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		text := slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})
		log := slog.New(limitRepeats(text))
		told := 0
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			got := strings.TrimSpace(out.String()[told:])
			told = len(out.String())
			if got != strings.Join(want, "\n") {
				t.Errorf("logged was\n%s\nwant\n%s", got, strings.Join(want, "\n"))
			}
		}
		for i := range 400 {
			log.With("host", "a").Error("The disk is full.", "i", i)
			if i == 100 {
				log.Info("The disk is full.")
				log.Info("Something else.")
			}
			wait(t, 7*time.Millisecond) // in the bubble's time
		}
		expect(
			`level=ERROR msg="The disk is full." host=a i=0`,
			`level=INFO msg="The disk is full."`, `level=INFO msg="Something else."`,
			`level=ERROR msg="The disk is full." host=a i=142 suppressed=141`,
			`level=ERROR msg="The disk is full." host=a i=285 suppressed=142`,
		)
		wait(t, 2*time.Second)
		expect(`level=ERROR msg="The disk is full." host=a i=399 suppressed=113`)
		log.Error("The disk is full.", "i", 1000)
		expect(`level=ERROR msg="The disk is full." i=1000`)
		wait(t, 2*time.Second)
		expect()
	})
}

// TestRepeatsOfLibraries (reliability 13, another instance): what net/http says of each connection has another address in it each
// time, or what a receiver sent that nobody had asked for; that is a line a second, too.
func TestRepeatsOfLibraries(t *testing.T) {
	for name, message := range map[string]func(i int) string{
		"panic": func(i int) string { return fmt.Sprintf("http: panic serving 127.0.0.1:%d: boom", 40000+i) },
		"IPv6":  func(i int) string { return fmt.Sprintf("http: panic serving [::1]:%d: boom", 40000+i) },
		"unsolicited": func(i int) string {
			return fmt.Sprintf("Unsolicited response received on idle HTTP channel starting with %q; err=<nil>", rand.Text())
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			var out lockedBuffer
			log := slog.New(limitRepeats(slog.NewTextHandler(&out, nil)))
			for i := range 400 {
				log.Info(message(i))
				if i == 0 && strings.Count(out.String(), "\n") != 1 {
					t.Errorf("%s: the first is not said at once", name)
				}
				wait(t, 5*time.Millisecond) // 2 seconds in all
			}
			wait(t, 2*time.Second)
			synctest.Wait()
			told := strings.Count(out.String(), "\n")
			for _, suppressed := range regexp.MustCompile(`suppressed=(\d+)`).FindAllStringSubmatch(out.String(), -1) {
				n, _ := strconv.Atoi(suppressed[1])
				told += n
			}
			if lines := strings.Count(out.String(), "\n"); lines > 4 || told != 400 {
				t.Errorf("%s: %d lines tell of %d:\n%s", name, lines, told, out.String())
			}
		})
	}
}

// TestRepeatsAreBounded: messages that are all different neither fill the memory nor are lost.
func TestRepeatsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		handler := limitRepeats(slog.NewTextHandler(&out, nil))
		log := slog.New(handler)
		letters := strings.NewReplacer("0", "a", "1", "b", "2", "c", "3", "d", "4", "e", "5", "f", "6", "g", "7", "h", "8", "i", "9", "j")
		for i := range 3 * maxRepeats {
			log.Warn("http: " + letters.Replace(strconv.Itoa(i)))
		}
		remembered := func() int {
			shared := handler.(repeatLimiter).shared
			shared.mu.Lock()
			defer shared.mu.Unlock()
			return len(shared.lines)
		}
		if lines := strings.Count(out.String(), "\n"); lines != 3*maxRepeats || remembered() != maxRepeats {
			t.Errorf("%d lines, %d remembered", lines, remembered())
		}
		wait(t, 2*time.Second)
		synctest.Wait()
		if remembered() > 0 {
			t.Errorf("%d remembered for good", remembered())
		}
	})
}

// wait lets time pass, in a bubble.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	if err := pause.For(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}
