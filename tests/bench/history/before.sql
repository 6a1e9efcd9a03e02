-- The statements of the PostgreSQL journal as they were with step 0009, to be measured beside today's.
-- Everything lay in one table then: what is open, and what ended.

-- name: BATCH
WITH durable AS MATERIALIZED (SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
    WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true) AS synchronous_commit),
opened AS (
    INSERT INTO transactions (transaction_id, operation, provider, state, created_us, updated_us, due_us, driver,
        version, fence, document, tenant, asked_id, hash_key)
    SELECT transaction_id, operation, provider, state, created_us, updated_us, due_us, driver, version, fence,
        document, tenant, asked_id, hash_key
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
        $8::text[], $9::bigint[], $10::bigint[], $11::bytea[], $12::text[], $13::text[], $14::text[])
        AS given (transaction_id, operation, provider, state, created_us, updated_us, due_us, driver, version,
            fence, document, tenant, asked_id, hash_key)
    ON CONFLICT (transaction_id) DO NOTHING
    RETURNING transaction_id, created_us, state, updated_us, tenant
), written AS (
    UPDATE transactions AS now
    SET state = given.state, updated_us = given.updated_us, due_us = given.due_us, driver = given.driver,
        version = given.version, fence = given.fence, document = given.document,
        hash_key = CASE
            WHEN now.hash_key = given.hash_key OR given.transaction_id = ANY($26) THEN given.hash_key
            ELSE '' END
    FROM unnest($15::text[], $16::text[], $17::bigint[], $18::bigint[], $19::text[], $20::bigint[],
        $21::bigint[], $22::bytea[], $23::text[]) AS given (transaction_id, state, updated_us, due_us, driver,
            version, fence, document, hash_key),
        transactions AS was
    WHERE now.transaction_id = ANY($15) AND now.transaction_id = given.transaction_id
        AND was.transaction_id = ANY($15) AND was.transaction_id = given.transaction_id
        AND now.version = given.version - 1
    RETURNING now.transaction_id, now.created_us, now.state, now.updated_us, now.tenant,
        was.state <> now.state AS is_change
), changed AS (
    INSERT INTO changes (transaction_id, created_us, state, at_us, tenant)
    SELECT transaction_id, created_us, state, updated_us, tenant FROM opened
    UNION ALL
    SELECT transaction_id, created_us, state, updated_us, tenant FROM written WHERE is_change
), unfound AS (
    DELETE FROM handles USING written
    WHERE written.transaction_id = ANY($26) AND
        handles.created_us = written.created_us AND handles.transaction_id = written.transaction_id
        AND NOT EXISTS (
            SELECT 1 FROM unnest($24::text[], $25::bytea[]) AS kept (transaction_id, handle)
            WHERE kept.transaction_id = handles.transaction_id AND kept.handle = handles.handle
        )

), found AS (
    INSERT INTO handles (handle, created_us, transaction_id)
    SELECT given.handle, stored.created_us, stored.transaction_id
    FROM unnest($24::text[], $25::bytea[]) AS given (transaction_id, handle)
    JOIN (
        SELECT transaction_id, created_us FROM opened
        UNION ALL
        SELECT transaction_id, created_us FROM written
    ) AS stored ON stored.transaction_id = given.transaction_id
    ON CONFLICT DO NOTHING
), audited AS (
    INSERT INTO audit (chain, number, at_us, key_id, document, mac) SELECT given.* FROM durable CROSS JOIN
        unnest($27::text[], $28::bigint[], $29::bigint[], $30::text[], $31::bytea[], $32::bytea[]) AS given
        (chain, number, at_us, key_id, document, mac) ON CONFLICT (chain, number) DO NOTHING
)
SELECT ARRAY(SELECT transaction_id FROM opened) AS opened,
    ARRAY(SELECT transaction_id FROM written) AS written,
    (SELECT synchronous_commit FROM durable) AS synchronous_commit;

-- name: CLAIM
WITH durable AS MATERIALIZED (SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
    WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true) AS synchronous_commit),
due AS (
    SELECT oldest.* FROM unnest($6::text[]) AS wanted (state) CROSS JOIN LATERAL (
        SELECT transaction_id, due_us FROM transactions AS t
        WHERE t.provider = $5 AND t.state = wanted.state AND due_us <= $1 AND
    ($7::bytea[] IS NULL OR EXISTS (
        SELECT 1 FROM unnest($7::bytea[]) AS known (head)
        WHERE substring(document FROM 1 FOR length(known.head)) = known.head
    ))

        ORDER BY due_us LIMIT $4 FOR UPDATE SKIP LOCKED
    ) AS oldest
    ORDER BY due_us LIMIT $4
)
UPDATE transactions AS now
SET due_us = $2, driver = $3, fence = LEAST(fence, 9223372036854775806) + 1, version = LEAST(version,
    9223372036854775806) + 1
FROM due, durable
WHERE now.transaction_id = due.transaction_id
RETURNING now.transaction_id, now.operation, now.provider, now.state, now.created_us, now.updated_us, now.due_us,
    now.driver, now.version, now.fence, now.document, now.tenant, now.asked_id, now.hash_key, due.due_us AS
    was_due_us;

-- name: ROWS
SELECT transaction_id, operation, provider, state, created_us, updated_us, due_us, driver, version, fence,
    document, tenant, asked_id, hash_key FROM transactions WHERE transaction_id = ANY($1);

-- name: LIST_BY_INDEX
WITH page AS (
    SELECT DISTINCT run.created_us, run.transaction_id
    FROM unnest($8::bytea[]) AS wanted (handle) CROSS JOIN LATERAL (
        SELECT h.created_us, h.transaction_id
        FROM handles AS h JOIN transactions AS t
            ON t.transaction_id = h.transaction_id AND t.created_us = h.created_us
        WHERE h.handle = wanted.handle AND h.created_us >= $4 AND (h.created_us, h.transaction_id) < ($5, $6)
            AND ($1::text[] IS NULL OR t.state = ANY($1))
            AND ($2::text[] IS NULL OR t.operation = ANY($2))
            AND ($3::text[] IS NULL OR t.provider = ANY($3))
            AND ($9::text IS NULL OR t.tenant = $9)
        ORDER BY h.created_us DESC, h.transaction_id DESC LIMIT $7
    ) AS run
    ORDER BY run.created_us DESC, run.transaction_id DESC LIMIT $7
)
SELECT t.transaction_id, t.operation, t.provider, t.state, t.created_us, t.updated_us, t.due_us, t.driver,
    t.version, t.fence, t.document, t.tenant, t.asked_id, t.hash_key FROM page JOIN transactions AS t ON
    t.transaction_id = page.transaction_id
ORDER BY page.created_us DESC, page.transaction_id DESC;

-- name: LIST
WITH RECURSIVE
streams AS (
    (SELECT tenant, state, provider, operation FROM transactions  ORDER BY tenant, state, provider, operation LIMIT 1)
    UNION ALL
    SELECT next.* FROM streams AS last CROSS JOIN LATERAL (
        SELECT tenant, state, provider, operation FROM transactions
        WHERE (tenant, state, provider, operation) > (last.tenant, last.state, last.provider, last.operation)
        ORDER BY tenant, state, provider, operation LIMIT 1
    ) AS next
)
,
page AS (
    SELECT run.* FROM streams CROSS JOIN LATERAL (
        SELECT created_us, transaction_id FROM transactions AS t
        WHERE t.tenant = streams.tenant AND t.state = streams.state AND t.provider = streams.provider
            AND t.operation = streams.operation
            AND created_us >= $4 AND (created_us, transaction_id) < ($5, $6)
        ORDER BY created_us DESC, transaction_id DESC LIMIT $7
    ) AS run
    WHERE ($1::text[] IS NULL OR streams.state = ANY($1))
        AND ($2::text[] IS NULL OR streams.operation = ANY($2))
        AND ($3::text[] IS NULL OR streams.provider = ANY($3))
    ORDER BY created_us DESC, transaction_id DESC LIMIT $7
)
SELECT t.transaction_id, t.operation, t.provider, t.state, t.created_us, t.updated_us, t.due_us, t.driver,
    t.version, t.fence, t.document, t.tenant, t.asked_id, t.hash_key FROM page JOIN transactions AS t ON
    t.transaction_id = page.transaction_id
ORDER BY page.created_us DESC, page.transaction_id DESC;

-- name: CHANGES
SELECT written_in, number, transaction_id, state, at_us FROM changes
WHERE (written_in, number) > ($1, $2) AND written_in < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY
    written_in, number LIMIT $3;

-- name: LAST_CHANGE
SELECT written_in, number FROM changes WHERE written_in < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY
    written_in DESC, number DESC LIMIT 1;

-- name: PURGE
WITH RECURSIVE durable AS MATERIALIZED (SELECT set_config('synchronous_commit', CASE
    current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true) AS
    synchronous_commit),
streams AS (
    (SELECT tenant, state, provider, operation FROM transactions  ORDER BY tenant, state, provider, operation LIMIT 1)
    UNION ALL
    SELECT next.* FROM streams AS last CROSS JOIN LATERAL (
        SELECT tenant, state, provider, operation FROM transactions
        WHERE (tenant, state, provider, operation) > (last.tenant, last.state, last.provider, last.operation)
        ORDER BY tenant, state, provider, operation LIMIT 1
    ) AS next
)
,
gone AS (
    DELETE FROM transactions WHERE transaction_id = ANY(ARRAY(
        SELECT run.transaction_id FROM streams CROSS JOIN LATERAL (
            SELECT transaction_id FROM transactions AS t
            WHERE t.tenant = streams.tenant AND t.state = streams.state AND t.provider = streams.provider
                AND t.operation = streams.operation AND created_us < $1 AND updated_us < $1
            ORDER BY created_us LIMIT $2
        ) AS run
        WHERE streams.state IN ('CONFIRMED', 'DECLINED', 'FAILED', 'REVERSED') LIMIT $2
    -- Asked again of each row as it is deleted: it may have been written since it was found.
    )) AND state IN ('CONFIRMED', 'DECLINED', 'FAILED', 'REVERSED') AND updated_us < $1
    RETURNING transaction_id, created_us
), unfound AS (
    DELETE FROM handles USING gone
    WHERE handles.created_us = gone.created_us AND handles.transaction_id = gone.transaction_id
), unchanged AS (
    DELETE FROM changes USING gone
    WHERE changes.created_us = gone.created_us AND changes.transaction_id = gone.transaction_id
), old_events AS MATERIALIZED (
    SELECT written_in, number FROM (
        SELECT written_in, number, received_us FROM events WHERE applied
        ORDER BY written_in, number LIMIT $2 - (SELECT count(*) FROM gone)
    ) AS first WHERE received_us < $1
), gone_events AS (
    -- No two events have one number, so no other event is of these transactions and these numbers.
    DELETE FROM events WHERE written_in = ANY(ARRAY(SELECT written_in FROM old_events))
        AND number = ANY(ARRAY(SELECT number FROM old_events))
    RETURNING number
)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM gone_events), synchronous_commit FROM durable;
