package handlers

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// preferredWait reads `Prefer: wait=10` (RFC 7240, section 4.3), up to maxWait,
// and says in Preference-Applied what is heeded. A preference that is not
// understood is ignored, as it has to be.
func preferredWait(c *gin.Context) time.Duration {
	for _, header := range c.Request.Header.Values("Prefer") {
		for preference := range strings.SplitSeq(header, ",") {
			preference, _, _ = strings.Cut(preference, ";") // parameters; wait has none
			name, value, _ := strings.Cut(preference, "=")
			seconds, err := strconv.ParseUint(strings.Trim(value, " \t\""), 10, 16)
			if err == nil && strings.EqualFold(strings.TrimSpace(name), "wait") {
				wait := min(time.Duration(seconds)*time.Second, maxWait)
				c.Header("Preference-Applied", fmt.Sprintf("wait=%d", int(wait.Seconds())))
				return wait
			}
		}
	}
	return 0
}
