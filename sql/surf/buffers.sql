-- surf.buffers: the replay buffer of each search after each of its iterations, best candidate first
-- grain: one row per seed, iteration and slot
-- paper: equation 2; slots for like queries (per_group) are own, and off at 0
with audited as (
    select
        seed,
        iteration,
        candidate_id,
        query,
        response,
        violation_score,
        query_group,
    from surf.candidates
    left join surf.searches as ended using (audit, seed)
    -- the lake may hold more iterations than were asked for last; a search that has not ended counts as far as it is
    where audit = getvariable('audit') and iteration < coalesce(ended.iterations, iteration + 1)
),

moments as (  -- an iteration in which every call failed keeps the buffer that it found
    select distinct
        seed,
        iteration,
    from audited
),

scored as (  -- texts are compared once, here: joined to all later iterations, they would be held twenty times
    select
        seed,
        iteration,
        candidate_id,
        violation_score,
        query_group,
        min(candidate_id) over (partition by seed, query, response) as exchange_id,
    from audited
    where violation_score is not null
),

so_far as (  -- the same query with the same response counts once, as its best
    select
        moments.seed,
        moments.iteration,
        scored.candidate_id,
        scored.violation_score,
        scored.query_group,
    from moments
    inner join scored on moments.seed = scored.seed and moments.iteration >= scored.iteration
    qualify
        row_number() over (
            partition by moments.seed, moments.iteration, scored.exchange_id
            order by scored.violation_score desc, scored.candidate_id asc
        ) = 1
),

spread as (
    select *
    from so_far
    qualify
        getvariable('per_group') = 0
        or query_group is null
        or row_number() over (
            partition by seed, iteration, query_group order by violation_score desc, candidate_id asc
        ) <= getvariable('per_group')
)

select
    getvariable('audit') as audit,
    seed,
    iteration,
    row_number() over (
        partition by seed, iteration order by violation_score desc, candidate_id asc
    )::integer as buffer_rank,
    candidate_id,
    violation_score,
from spread
qualify buffer_rank <= getvariable('buffer')
order by seed, iteration, buffer_rank
