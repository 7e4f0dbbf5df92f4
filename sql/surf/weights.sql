-- surf.weights: the attributes that the buffer of each search favors after each iteration, heaviest first
-- grain: one row per seed, iteration and attribute with a weight; none where all are 0, as the draw is uniform then
-- paper: equation 1, over the buffers in new_buffers
with parts as (
    select
        new_buffers.seed,
        new_buffers.iteration,
        new_buffers.buffer_rank,
        new_buffers.violation_score,
        unnest(candidates.sampled_attributes) as attribute,
    from new_buffers
    inner join surf.candidates as candidates
        on
            new_buffers.seed = candidates.seed
            and new_buffers.candidate_id = candidates.candidate_id
            and candidates.audit = getvariable('audit')
),

weighed as (  -- summed in the order of the buffer, so that the last bit is the same in every run
    select
        seed,
        iteration,
        attribute,
        sum(violation_score order by buffer_rank) as sampling_weight,
    from parts
    group by all
    having sampling_weight > 0
),

totals as (
    select
        seed,
        iteration,
        sum(sampling_weight order by sampling_weight, attribute) as all_weights,
    from weighed
    group by all
)

select
    getvariable('audit') as audit,
    weighed.seed,
    weighed.iteration,
    row_number() over (
        partition by weighed.seed, weighed.iteration order by weighed.sampling_weight desc, weighed.attribute asc
    )::integer as attribute_rank,
    weighed.attribute,
    weighed.sampling_weight,
    weighed.sampling_weight / totals.all_weights as sampling_share,
from weighed
inner join totals on weighed.seed = totals.seed and weighed.iteration = totals.iteration
order by weighed.seed, weighed.iteration, attribute_rank
