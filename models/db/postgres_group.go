package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"gorm.io/gorm"
)

// On PostgreSQL a statement costs a round trip to the server, and a commit one more
// and a flush to its disk. So those who write at the same time share a transaction
// (group commit), and their statements share round trips: each function runs on the
// goroutine of its caller, asks for its next statement and waits; what all of them
// ask for is sent at once (pipelining,
// https://www.postgresql.org/docs/current/libpq-pipeline-mode.html).
//
// Only hand-written statements (Tx.Write, Tx.QueryRow) can be sent so. A function that
// uses GORM leaves its group, and is run again in a transaction of its own
// (postgres.go). So are the others of a group in which a statement fails, which
// PostgreSQL answers by giving up the transaction, and those beside a function that
// fails after it has written.

// maxRoundStatements bounds what is sent at once, below what the sockets between
// buffer: PostgreSQL answers as it goes, and would wait for us to read.
const maxRoundStatements = 200

var (
	errLeave = errors.New("the function uses GORM, or locks: it runs in a transaction of its own")
	errSpoil = errors.New("another function of the group has failed")
)

// groups takes writes into groups, one after the other: two at a time may each hold
// rows that the other waits for (deadlock), since a group takes them in the order in
// which its functions come; and on two cores, two are no faster than one.
type groups struct {
	pool    *pgxpool.Pool
	jobs    *JobInserters
	queue   chan *member
	conn    *pgx.Conn
	working sync.WaitGroup

	closing sync.RWMutex
	closed  bool
}

// member is one function of a group.
type member struct {
	ctx   context.Context
	start chan *pipeline // gets nil if the member does not run
	ended chan error     // nil once it is committed
	tx    *Tx
	err   error // of fn
	left  bool  // fn has used GORM
}

func newGroups(pool *pgxpool.Pool, jobs *JobInserters) *groups {
	g := &groups{pool: pool, jobs: jobs, queue: make(chan *member, queueSize)}
	g.working.Go(g.work)
	return g
}

func (g *groups) close() {
	g.closing.Lock()
	if !g.closed {
		g.closed = true
		close(g.queue)
	}
	g.closing.Unlock()
	g.working.Wait()
	if g.conn != nil {
		_ = g.conn.Close(context.Background())
	}
}

// do runs fn as a member of a group. It returns errLeave or errSpoil if nothing of
// that is stored, and fn has to be run alone.
func (g *groups) do(ctx context.Context, db *gorm.DB, fn func(*Tx) error) error {
	m := &member{ctx: ctx, start: make(chan *pipeline, 1), ended: make(chan error, 1)}
	if err := g.enter(ctx, m); err != nil {
		return err
	}
	p := <-m.start
	if p != nil {
		m.tx.DB = m.gorm(db)
		m.err = call(fn, m.tx)
		if m.left && m.err != nil {
			m.err = errLeave
		}
		p.asks <- ask{done: true}
	}
	return <-m.ended
}

func (g *groups) enter(ctx context.Context, m *member) error {
	g.closing.RLock()
	defer g.closing.RUnlock()
	if g.closed {
		return errClosed
	}
	select {
	case g.queue <- m:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gorm is a session whose statements make the function leave the group.
func (m *member) gorm(db *gorm.DB) *gorm.DB {
	session := db.Session(&gorm.Session{NewDB: true, Context: m.ctx})
	session.Statement.ConnPool = leaver{m}
	return session
}

// leaver refuses statements of GORM.
type leaver struct{ m *member }

func (l leaver) PrepareContext(context.Context, string) (*sql.Stmt, error) {
	l.m.left = true
	return nil, errLeave
}

func (l leaver) ExecContext(context.Context, string, ...any) (sql.Result, error) {
	l.m.left = true
	return nil, errLeave
}

func (l leaver) QueryContext(context.Context, string, ...any) (*sql.Rows, error) {
	l.m.left = true
	return nil, errLeave
}

func (l leaver) QueryRowContext(context.Context, string, ...any) *sql.Row {
	l.m.left = true
	return refusedRow()
}

// refusedRow is a row that holds an error: only database/sql can make one.
func refusedRow() *sql.Row {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errLeave)
	return new(sql.DB).QueryRowContext(ctx, "")
}

func (g *groups) work() {
	for first := range g.queue {
		group := []*member{first}
		for len(group) < groupSize && len(g.queue) > 0 {
			m, open := <-g.queue
			if !open {
				break
			}
			group = append(group, m)
		}
		g.commit(group)
	}
}

// connection is one of the group's own. Its statements find few rows by an index, which
// PostgreSQL would not use while it takes a table for small, as all are at first.
func (g *groups) connection(ctx context.Context) (*pgx.Conn, error) {
	if g.conn != nil && !g.conn.IsClosed() {
		return g.conn, nil
	}
	config := g.pool.Config().ConnConfig
	config.RuntimeParams["enable_seqscan"] = "off"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err == nil {
		err = readTimesAsUTC(ctx, conn)
	}
	if err != nil {
		return nil, err
	}
	g.conn = conn
	return conn, nil
}

// commit runs a group and tells each member what came of it.
func (g *groups) commit(group []*member) {
	// Not the callers' contexts: whether it was committed has to be known.
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	conn, err := g.connection(ctx)
	if err != nil {
		for _, m := range group {
			m.start <- nil
			m.ended <- unavailable(err)
		}
		return
	}
	p := &pipeline{ctx: ctx, conn: conn, asks: make(chan ask, len(group))}
	running := 0
	for _, m := range group {
		if m.err = m.ctx.Err(); m.err != nil {
			m.start <- nil
			continue
		}
		m.tx = &Tx{pipeline: p}
		running++
		m.start <- p
	}
	err = g.finish(p, group, p.run(running))
	for _, m := range group {
		switch {
		case m.tx == nil: // its context had ended before
		case err != nil:
			m.err = err
		case m.err == nil:
			runAfter(m.tx)
		}
		m.ended <- m.err
	}
}

// finish stores the jobs of a group and commits, or rolls back: errSpoil.
func (g *groups) finish(p *pipeline, group []*member, err error) error {
	var jobs jobs
	for _, m := range group {
		switch {
		case m.tx == nil || err != nil:
		case m.err == nil:
			jobs.kinds, jobs.ids = append(jobs.kinds, m.tx.jobs.kinds...), append(jobs.ids, m.tx.jobs.ids...)
		case m.tx.wrote:
			err = errSpoil
		}
	}
	if p.tx == nil { // nobody has asked for anything
		return err
	}
	if err == nil {
		err = g.jobs.pgx(p.ctx, p.tx, jobs)
	}
	if err == nil {
		if err = p.tx.Commit(p.ctx); err == nil {
			return nil
		}
		if gaveWay(err) || errors.Is(err, pgx.ErrTxCommitRollback) {
			return errSpoil
		}
		return fmt.Errorf("committing: %w", err)
	}
	_ = p.tx.Rollback(p.ctx) // the server does it when the connection is gone
	return err
}

// pipeline sends the statements of a group.
type pipeline struct {
	ctx  context.Context
	conn *pgx.Conn
	tx   pgx.Tx
	asks chan ask
}

// ask is a statement that a member waits for, or its word that it is done.
type ask struct {
	query  string
	args   []any
	scan   []any // where the values of the one row go; nil for none
	lock   string
	answer chan answer
	done   bool
}

type answer struct {
	rows int64
	err  error
}

// run goes round until all members are done.
func (p *pipeline) run(members int) (spoilt error) {
	var round []ask
	for members > 0 {
		a := <-p.asks
		if a.done {
			members--
		} else {
			round = append(round, a)
		}
		if len(round) == 0 || len(round) < members {
			continue
		}
		for part := range slices.Chunk(round, maxRoundStatements) {
			if spoilt == nil {
				spoilt = p.send(part)
				continue
			}
			for _, a := range part {
				a.answer <- answer{err: errSpoil}
			}
		}
		round = round[:0]
	}
	return spoilt
}

// send sends what is asked for at once, and hands out what is answered.
func (p *pipeline) send(round []ask) (spoilt error) {
	if p.tx == nil {
		if p.tx, spoilt = p.conn.Begin(p.ctx); spoilt != nil {
			spoilt = unavailable(fmt.Errorf("beginning a transaction: %w", spoilt))
			for _, a := range round {
				a.answer <- answer{err: spoilt}
			}
			return spoilt
		}
	}
	batch := &pgx.Batch{}
	lock(batch, round)
	locks := batch.Len()
	for _, a := range round {
		if a.lock == "" {
			batch.Queue(a.query, a.args...)
		}
	}
	results := p.tx.SendBatch(p.ctx, batch)
	for range locks {
		if _, err := results.Exec(); err != nil {
			spoilt = errSpoil
		}
	}
	for _, a := range round {
		var got answer
		if got, spoilt = readAnswer(results, a, spoilt); spoilt != nil && got.err == nil {
			got.err = spoilt
		}
		a.answer <- got
	}
	if err := results.Close(); err != nil {
		spoilt = errSpoil
	}
	return spoilt
}

// readAnswer reads the answer to one statement, unless one before it has failed.
func readAnswer(results pgx.BatchResults, a ask, spoilt error) (answer, error) {
	if spoilt != nil || a.lock != "" {
		return answer{}, spoilt
	}
	got := read(results, a)
	if got.err == nil || errors.Is(got.err, sql.ErrNoRows) {
		return got, nil
	}
	if gaveWay(got.err) {
		got.err = errSpoil
	}
	return got, errSpoil
}

func read(results pgx.BatchResults, a ask) answer {
	if a.scan != nil {
		return answer{err: results.QueryRow().Scan(a.scan...)}
	}
	tag, err := results.Exec()
	return answer{tag.RowsAffected(), err}
}

// lock takes all locks that a round asks for by one statement for each table, in the
// order of ids: see LockProducts.
func lock(batch *pgx.Batch, round []ask) {
	wanted := map[string][]string{}
	for _, a := range round {
		if a.lock != "" {
			wanted[a.lock] = append(wanted[a.lock], a.args[0].([]string)...) //nolint:forcetypeassert // LockAll put it there
		}
	}
	for table, ids := range wanted {
		slices.Sort(ids)
		batch.Queue("SELECT 1 FROM "+table+" WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE", slices.Compact(ids))
	}
}

func (p *pipeline) ask(a ask) answer {
	a.answer = make(chan answer, 1)
	p.asks <- a
	return <-a.answer
}

func (p *pipeline) exec(tx *Tx, query string, args []any) (int64, error) {
	got := p.ask(ask{query: query, args: args})
	tx.wrote = tx.wrote || got.rows > 0
	return got.rows, translate(tx.DB, got.err)
}

func (p *pipeline) lockAll(table string, ids []string) error {
	return p.ask(ask{lock: table, args: []any{ids}}).err
}

func (p *pipeline) queryRow(tx *Tx, query string, args []any) Row {
	return askedRow{p, tx, query, args}
}

// askedRow asks when it is scanned: then it is known where the values go.
type askedRow struct {
	p     *pipeline
	tx    *Tx
	query string
	args  []any
}

func (r askedRow) Scan(dest ...any) error {
	r.tx.wrote = r.tx.wrote || !strings.HasPrefix(r.query, "SELECT")
	return r.p.ask(ask{query: r.query, args: r.args, scan: dest}).err
}
