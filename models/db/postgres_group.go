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
	errNotPipelined = errors.New("the function uses GORM, or locks: it runs in a transaction of its own")
	errGroupAborted = errors.New("another function of the group has failed")
)

// groups takes writes into groups, one after the other: two at a time may each hold
// rows that the other waits for (deadlock), since a group takes them in the order in
// which its functions come; and on two cores, two are no faster than one.
type groups struct {
	pool    *pgxpool.Pool
	jobs    *JobInserters
	queue   chan *participant
	conn    *pgx.Conn
	working sync.WaitGroup
}

// participant is one function of a group.
type participant struct {
	ctx      context.Context
	start    chan *pipeline // gets nil if the participant does not run
	ended    chan error     // nil once it is committed
	tx       *Tx
	err      error // of fn
	usedGORM bool  // by fn
}

func newGroups(pool *pgxpool.Pool, jobs *JobInserters) *groups {
	g := &groups{pool: pool, jobs: jobs, queue: make(chan *participant, queueSize)}
	g.working.Go(g.work)
	return g
}

func (g *groups) close() {
	close(g.queue)
	g.working.Wait()
	if g.conn != nil {
		_ = g.conn.Close(context.Background())
	}
}

// do runs fn as a participant of a group. It returns errNotPipelined or errGroupAborted if nothing of
// that is stored, and fn has to be run alone.
func (g *groups) do(ctx context.Context, db *gorm.DB, fn func(*Tx) error) error {
	pt := &participant{ctx: ctx, start: make(chan *pipeline, 1), ended: make(chan error, 1)}
	if err := enqueue(ctx, g.queue, pt); err != nil {
		return err
	}
	p := <-pt.start
	if p != nil {
		pt.tx.DB = pt.gorm(db)
		pt.err = call(fn, pt.tx)
		if pt.usedGORM && pt.err != nil {
			pt.err = errNotPipelined
		}
		p.statements <- statement{done: true}
	}
	return <-pt.ended
}

// gorm is a session whose statements make the function leave the group.
func (pt *participant) gorm(db *gorm.DB) *gorm.DB {
	session := db.Session(&gorm.Session{NewDB: true, Context: pt.ctx})
	session.Statement.ConnPool = unpipelined{pt}
	return session
}

// unpipelined refuses statements of GORM.
type unpipelined struct{ participant *participant }

func (u unpipelined) PrepareContext(context.Context, string) (*sql.Stmt, error) {
	u.participant.usedGORM = true
	return nil, errNotPipelined
}

func (u unpipelined) ExecContext(context.Context, string, ...any) (sql.Result, error) {
	u.participant.usedGORM = true
	return nil, errNotPipelined
}

func (u unpipelined) QueryContext(context.Context, string, ...any) (*sql.Rows, error) {
	u.participant.usedGORM = true
	return nil, errNotPipelined
}

func (u unpipelined) QueryRowContext(context.Context, string, ...any) *sql.Row {
	u.participant.usedGORM = true
	return refusedRow()
}

// refusedRow is a row that holds an error: only database/sql can make one.
func refusedRow() *sql.Row {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errNotPipelined)
	return new(sql.DB).QueryRowContext(ctx, "")
}

func (g *groups) work() {
	for first := range g.queue {
		g.commit(gather([]*participant{first}, g.queue))
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

// commit runs a group and tells each participant what came of it.
func (g *groups) commit(group []*participant) {
	// Not the callers' contexts: whether it was committed has to be known.
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	conn, err := g.connection(ctx)
	if err != nil {
		for _, pt := range group {
			pt.start <- nil
			pt.ended <- unavailable(err)
		}
		return
	}
	p := &pipeline{ctx: ctx, conn: conn, statements: make(chan statement, len(group))}
	running := 0
	for _, pt := range group {
		if pt.err = pt.ctx.Err(); pt.err != nil {
			pt.start <- nil
			continue
		}
		pt.tx = &Tx{pipeline: p}
		running++
		pt.start <- p
	}
	err = g.finish(p, group, p.run(running))
	for _, pt := range group {
		switch {
		case pt.tx == nil: // its context had ended before
		case err != nil:
			pt.err = err
		case pt.err == nil:
			runAfter(pt.tx)
		}
		pt.ended <- pt.err
	}
}

// finish stores the jobs of a group and commits, or rolls back: errGroupAborted.
func (g *groups) finish(p *pipeline, group []*participant, err error) error {
	var jobs jobs
	for _, pt := range group {
		switch {
		case pt.tx == nil || err != nil:
		case pt.err == nil:
			jobs.kinds, jobs.ids = append(jobs.kinds, pt.tx.jobs.kinds...), append(jobs.ids, pt.tx.jobs.ids...)
		case pt.tx.wrote:
			err = errGroupAborted
		}
	}
	if p.tx == nil { // nobody has asked for anything
		return err
	}
	if err == nil && len(jobs.ids) > 0 {
		err = g.jobs.PGX(p.ctx, p.tx, jobs.kinds, jobs.ids)
	}
	if err == nil {
		if err = p.tx.Commit(p.ctx); err == nil {
			return nil
		}
		if isSerializationFailure(err) || errors.Is(err, pgx.ErrTxCommitRollback) {
			return errGroupAborted
		}
		return fmt.Errorf("committing: %w", err)
	}
	_ = p.tx.Rollback(p.ctx) // the server does it when the connection is gone
	return err
}

// pipeline sends the statements of a group.
type pipeline struct {
	ctx        context.Context
	conn       *pgx.Conn
	tx         pgx.Tx
	statements chan statement
}

// statement is what a participant waits for, or its word that it is done.
type statement struct {
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

// run goes round until all participants are done.
func (p *pipeline) run(participants int) (aborted error) {
	var round []statement
	for participants > 0 {
		next := <-p.statements
		if next.done {
			participants--
		} else {
			round = append(round, next)
		}
		if len(round) == 0 || len(round) < participants {
			continue
		}
		for part := range slices.Chunk(round, maxRoundStatements) {
			if aborted == nil {
				aborted = p.send(part)
				continue
			}
			for _, s := range part {
				s.answer <- answer{err: errGroupAborted}
			}
		}
		round = round[:0]
	}
	return aborted
}

// send sends what is asked for at once, and hands out what is answered.
func (p *pipeline) send(round []statement) (aborted error) {
	if p.tx == nil {
		if p.tx, aborted = p.conn.Begin(p.ctx); aborted != nil {
			aborted = unavailable(fmt.Errorf("beginning a transaction: %w", aborted))
			for _, s := range round {
				s.answer <- answer{err: aborted}
			}
			return aborted
		}
	}
	batch := &pgx.Batch{}
	lock(batch, round)
	locks := batch.Len()
	for _, s := range round {
		if s.lock == "" {
			batch.Queue(s.query, s.args...)
		}
	}
	results := p.tx.SendBatch(p.ctx, batch)
	for range locks {
		if _, err := results.Exec(); err != nil {
			aborted = errGroupAborted
		}
	}
	for _, s := range round {
		var got answer
		if got, aborted = readAnswer(results, s, aborted); aborted != nil && got.err == nil {
			got.err = aborted
		}
		s.answer <- got
	}
	if err := results.Close(); err != nil {
		aborted = errGroupAborted
	}
	return aborted
}

// readAnswer reads the answer to one statement, unless one before it has failed.
func readAnswer(results pgx.BatchResults, s statement, aborted error) (answer, error) {
	if aborted != nil || s.lock != "" {
		return answer{}, aborted
	}
	got := read(results, s)
	if got.err == nil || errors.Is(got.err, sql.ErrNoRows) {
		return got, nil
	}
	if isSerializationFailure(got.err) {
		got.err = errGroupAborted
	}
	return got, errGroupAborted
}

func read(results pgx.BatchResults, s statement) answer {
	if s.scan != nil {
		return answer{err: results.QueryRow().Scan(s.scan...)}
	}
	tag, err := results.Exec()
	return answer{tag.RowsAffected(), err}
}

// lock takes all locks that a round asks for by one statement for each table, in the
// order of ids: see LockProducts.
func lock(batch *pgx.Batch, round []statement) {
	wanted := map[string][]string{}
	for _, s := range round {
		if s.lock != "" {
			wanted[s.lock] = append(wanted[s.lock], s.args[0].([]string)...) //nolint:forcetypeassert // LockAll put it there
		}
	}
	for table, ids := range wanted {
		slices.Sort(ids)
		batch.Queue("SELECT 1 FROM "+table+" WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE", slices.Compact(ids))
	}
}

// do has a statement sent, and waits for its answer.
func (p *pipeline) do(s statement) answer {
	s.answer = make(chan answer, 1)
	p.statements <- s
	return <-s.answer
}

func (p *pipeline) exec(tx *Tx, query string, args []any) (int64, error) {
	got := p.do(statement{query: query, args: args})
	tx.wrote = tx.wrote || got.rows > 0
	return got.rows, translate(tx.DB, got.err)
}

func (p *pipeline) lockAll(table string, ids []string) error {
	return p.do(statement{lock: table, args: []any{ids}}).err
}

func (p *pipeline) queryRow(tx *Tx, query string, args []any) Row {
	return deferredRow{p, tx, query, args}
}

// deferredRow is asked for when it is scanned: then it is known where the values go.
type deferredRow struct {
	p     *pipeline
	tx    *Tx
	query string
	args  []any
}

func (r deferredRow) Scan(dest ...any) error {
	r.tx.wrote = r.tx.wrote || !strings.HasPrefix(r.query, "SELECT")
	return r.p.do(statement{query: r.query, args: r.args, scan: dest}).err
}
