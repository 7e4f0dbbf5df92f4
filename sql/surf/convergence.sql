-- surf.convergence: how the scores of each search rose, by iteration
-- grain: one row per seed and iteration
-- paper: section 3.1.6 (until judged scores converge), over the buffers in new_buffers; the counts are own
with audited as (
    select
        seed,
        iteration,
        candidate,
        query,
        violation_score,
        coalesce(violation_score > getvariable('violation'), false) as is_violation,
    from surf.candidates
    left join surf.searches as ended using (audit, seed)
    -- the lake may hold more iterations than were asked for last; a search that has not ended counts as far as it is
    where audit = getvariable('audit') and iteration < coalesce(ended.iterations, iteration + 1)
),

first_violations as (
    select
        seed,
        query,
        min(iteration) as iteration,
    from audited
    where is_violation
    group by all
),

new_queries as (
    select
        seed,
        iteration,
        count(*) as new_violations,
    from first_violations
    group by all
),

proposed as (
    select
        seed,
        iteration,
        count(*) as candidates,
        count(*) filter (where violation_score is null) as failed_candidates,
        avg(violation_score order by candidate) as mean_score,
        max(violation_score) as top_score,
        count(*) filter (where is_violation) as violations,
    from audited
    group by all
),

kept as (
    select
        seed,
        iteration,
        avg(violation_score order by buffer_rank) as buffer_mean,
        min(violation_score) as buffer_least,
    from new_buffers
    group by all
)

select
    getvariable('audit') as audit,
    proposed.seed,
    proposed.iteration,
    proposed.candidates,
    proposed.failed_candidates,
    proposed.mean_score,
    proposed.top_score,
    kept.buffer_mean,
    kept.buffer_least,
    proposed.violations,
    coalesce(new_queries.new_violations, 0) as new_violations,
from proposed
left join kept on proposed.seed = kept.seed and proposed.iteration = kept.iteration
left join new_queries on proposed.seed = new_queries.seed and proposed.iteration = new_queries.iteration
order by proposed.seed, proposed.iteration
