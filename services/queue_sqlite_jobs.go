package services

import (
	"database/sql"
	"encoding/json"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"petstore/models"
)

// River's statements for SQLite serve every job there can be, and took a fifth of
// the server's time. These do what matters of that, in a third of the time, for jobs
// as ours nearly always are; for others the driver falls back on River's.
// TestQueueStatementsAreRivers holds the ones against the others.

// riverTime writes times as River does, to the millisecond.
func riverTime(t *time.Time) string {
	if t == nil {
		return time.Now().UTC().Format(riverTimeFormat)
	}
	return t.UTC().Round(time.Millisecond).Format(riverTimeFormat)
}

const riverTimeFormat = "2006-01-02 15:04:05.000"

// newJob is a job as River would make it.
func newJob(job models.Job, now time.Time) (*rivertype.JobRow, error) {
	params := insertParams(job)
	args, err := json.Marshal(params.Args)
	return &rivertype.JobRow{
		EncodedArgs: args, CreatedAt: now, Kind: params.Args.Kind(), MaxAttempts: maxJobErrors, Metadata: []byte("{}"),
		Priority: river.PriorityDefault, Queue: params.InsertOpts.Queue, ScheduledAt: now, State: rivertype.JobStateAvailable, Tags: []string{},
	}, err
}

// insertJobs stores new jobs, and gives them their IDs. One statement serves them
// all: River's table has constraints whose lists SQLite prepares once a statement,
// in more time than a row takes. RETURNING would cost as much as the rows; IDs grow
// by one from row to row, as nobody else writes.
func insertJobs(tx *sql.Tx, jobs []*rivertype.JobRow, server string) error {
	type row [4]any
	rows := make([]row, len(jobs))
	for i, job := range jobs {
		rows[i] = row{json.RawMessage(job.EncodedArgs), job.Kind, job.Queue, job.Attempt}
	}
	list, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	res, err := tx.Exec(`INSERT INTO river_job (args, kind, queue, attempt, attempted_at, attempted_by, state, created_at, scheduled_at,
			max_attempts, metadata, priority, tags)
		SELECT jsonb(value -> 0), value ->> 1, value ->> 2, value ->> 3, iif(value ->> 3, ?2, NULL), iif(value ->> 3, jsonb_array(?3), NULL),
			iif(value ->> 3, 'running', 'available'), ?2, ?2, ?4, jsonb(?5), ?6, jsonb('[]')
		FROM json_each(?1)`,
		string(list), riverTime(&jobs[0].CreatedAt), server, jobs[0].MaxAttempts, string(jobs[0].Metadata), jobs[0].Priority)
	if err != nil {
		return err
	}
	last, err := res.LastInsertId()
	for i, job := range jobs {
		job.ID = last - int64(len(jobs)-1-i)
	}
	return err
}

// takeAvailable is JobGetAvailable for queues that take jobs of every kind. Of a
// job's many attempts River remembers who made the latest; this, who made the
// first.
//
// The casts and the sum say what the bare parameters would, but keep SQLite from
// planning the statement anew at every call, which took it twenty times as long as
// running it: a parameter in LIMIT, or one compared to a column of a table with
// partial indexes, makes a plan depend on its value (sqlite3VdbeReprepareOnBind).
func takeAvailable(tx *sql.Tx, params *riverdriver.JobGetAvailableParams) (*riverdriver.JobGetAvailableResult, error) {
	now := riverTime(params.Now)
	rows, err := tx.Query(`UPDATE river_job SET attempt = attempt + 1, attempted_at = ?1, state = 'running', attempted_by =
			CASE WHEN attempted_by IS NULL THEN jsonb_array(?2)
			WHEN json_array_length(attempted_by) >= ?3 THEN attempted_by
			ELSE jsonb_insert(attempted_by, '$[#]', ?2) END
		WHERE id IN (SELECT id FROM river_job
			WHERE state = 'available' AND queue = CAST(?4 AS TEXT) AND priority >= 0 AND scheduled_at <= CAST(?1 AS TEXT)
			ORDER BY priority, scheduled_at, id LIMIT ?5 + 0)
		RETURNING id, json(args), attempt, attempted_at, json(attempted_by), created_at, json(errors), kind, max_attempts, json(metadata),
			priority, queue, scheduled_at, json(tags)`,
		now, params.ClientID, params.MaxAttemptedBy, params.Queue, params.MaxToLock)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	res := &riverdriver.JobGetAvailableResult{}
	for rows.Next() {
		job, err := scanJob(rows)
		if err != nil {
			return nil, err
		}
		res.Jobs = append(res.Jobs, job)
	}
	return res, rows.Err()
}

func scanJob(rows *sql.Rows) (*rivertype.JobRow, error) {
	job := &rivertype.JobRow{State: rivertype.JobStateRunning}
	var attemptedBy, attemptErrors, tags []byte
	err := rows.Scan(&job.ID, &job.EncodedArgs, &job.Attempt, &job.AttemptedAt, &attemptedBy, &job.CreatedAt, &attemptErrors, &job.Kind,
		&job.MaxAttempts, &job.Metadata, &job.Priority, &job.Queue, &job.ScheduledAt, &tags)
	if err == nil {
		err = json.Unmarshal(attemptedBy, &job.AttemptedBy)
	}
	if err == nil && attemptErrors != nil {
		err = riverdriver.UnmarshalAttemptErrors(attemptErrors, &job.Errors)
	}
	if err == nil {
		err = json.Unmarshal(tags, &job.Tags)
	}
	return job, err
}

// simplyDone parts the jobs that complete, with nothing else to note of them, from
// the others.
func simplyDone(params *riverdriver.JobSetStateIfRunningManyParams) (done []int64, others *riverdriver.JobSetStateIfRunningManyParams) {
	others = &riverdriver.JobSetStateIfRunningManyParams{Now: params.Now, Schema: params.Schema}
	for i, id := range params.ID {
		if params.State[i] == rivertype.JobStateCompleted && params.Attempt[i] == nil && params.ErrData[i] == nil &&
			!params.MetadataDoMerge[i] && params.ScheduledAt[i] == nil {
			done = append(done, id)
			continue
		}
		others.ID = append(others.ID, id)
		others.Attempt = append(others.Attempt, params.Attempt[i])
		others.ErrData = append(others.ErrData, params.ErrData[i])
		others.FinalizedAt = append(others.FinalizedAt, params.FinalizedAt[i])
		others.MetadataDoMerge = append(others.MetadataDoMerge, params.MetadataDoMerge[i])
		others.MetadataUpdates = append(others.MetadataUpdates, params.MetadataUpdates[i])
		others.ScheduledAt = append(others.ScheduledAt, params.ScheduledAt[i])
		others.State = append(others.State, params.State[i])
	}
	return done, others
}

// completeMany is JobSetStateIfRunningMany for jobs that are simply done. They are
// deleted: their tasks and deliveries are the record of what was done, and a table
// of those that are not done stays small. River's own sets them one at a time, and
// reads back each row; the client needs no more of it than this.
func completeMany(tx *sql.Tx, ids []int64) (done []*rivertype.JobRow, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query("DELETE FROM river_job WHERE id IN (SELECT value FROM json_each(?)) AND state = 'running' RETURNING id", string(list))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	now := time.Now()
	for rows.Next() {
		job := &rivertype.JobRow{State: rivertype.JobStateCompleted, FinalizedAt: &now}
		if err := rows.Scan(&job.ID); err != nil {
			return nil, err
		}
		done = append(done, job)
	}
	return done, rows.Err()
}
