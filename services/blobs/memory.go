package blobs

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"sync"
)

// memory forgets its blobs at exit.
type memory struct {
	mu    sync.RWMutex
	blobs map[string][]byte
}

func (m *memory) put(ctx context.Context, key string, r io.Reader) (int64, error) {
	content, err := io.ReadAll(r)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[key] = content
	return int64(len(content)), nil
}

func (m *memory) open(key string) (io.ReadSeekCloser, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	content, ok := m.blobs[key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return opened{bytes.NewReader(content)}, nil
}

// opened is a blob of which there is nothing to close.
type opened struct{ *bytes.Reader }

func (opened) Close() error { return nil }

func (m *memory) exists(key string) (bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, ok := m.blobs[key]
	return ok, nil
}

func (m *memory) remove(key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, key)
	return nil
}

func (m *memory) close() error { return nil }
