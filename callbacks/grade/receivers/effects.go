package receivers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/pause"
)

// effects is what the receiver says of the work that it did.
type effects struct {
	count  int
	status string
}

// Work may be done after the answer. So long it is waited for, and so long it has to stay as it is.
const (
	effectsWithin = 5 * time.Second
	effectsSettle = 200 * time.Millisecond
)

// effects asks for the work that was done for u.
func (g *grader) effects(ctx context.Context, u callbacks.Update) (effects, error) {
	url := strings.NewReplacer("{order_id}", u.OrderID, "{callback_id}", u.CallbackID).Replace(g.options.Effects)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return effects{}, fmt.Errorf("asking for the effects: %w", err)
	}
	response, err := g.client.Do(request)
	if err != nil {
		return effects{}, fmt.Errorf("asking for the effects: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil || response.StatusCode != http.StatusOK {
		return effects{}, brokenBecause("the effects were answered %d", response.StatusCode)
	}
	return parseEffects(text)
}

func parseEffects(text []byte) (effects, error) {
	var e effects
	if json.Unmarshal(text, &e.count) == nil {
		return e, nil
	}
	var object struct {
		Count  *int   `json:"count"`
		Status string `json:"status"`
	}
	if err := json.Unmarshal(text, &object); err != nil || object.Count == nil {
		return e, errors.New(`the effects are neither a number nor {"count": …}`)
	}
	return effects{*object.Count, object.Status}, nil
}

// counting runs send and fails unless the work for u was done exactly want times in it. Without -effects it only
// runs send.
func (g *grader) counting(ctx context.Context, u callbacks.Update, want int, send func() error) error {
	if g.options.Effects == "" {
		return send()
	}
	before, err := g.effects(ctx, u)
	if err != nil {
		return err
	}
	if err := send(); err != nil {
		return err
	}
	return g.settled(ctx, u, before.count+want, want)
}

// settled waits until the count is reached, and fails unless it stays there.
func (g *grader) settled(ctx context.Context, u callbacks.Update, count, want int) error {
	deadline := time.Now().Add(effectsWithin)
	for {
		if err := pause.For(ctx, effectsSettle); err != nil {
			return err
		}
		now, err := g.effects(ctx, u)
		switch {
		case err != nil:
			return err
		case now.count == count:
			return nil
		case now.count > count:
			return brokenBecause("the work was done %d times, not %d", now.count-count+want, want)
		case time.Now().After(deadline):
			return brokenBecause("the work was done %d times, not %d, %s after the answer", now.count-count+want, want, effectsWithin)
		}
	}
}
