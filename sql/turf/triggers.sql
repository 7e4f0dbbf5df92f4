-- turf.triggers: the failing query's attributes whose clusters go with a crux beyond chance, best first across cruxes
-- grain: one row per failure and trigger
-- paper: equations 5 and 6; excess over expectation instead of raw hits, gates and the null are our own
with mix as (
    select count(*) as mix_rows from corpus.rows
),

options as (
    select
        query_attributes.failure_id,
        query_attributes.attribute_rank,
        query_attributes.attribute,
        cruxes.crux_weight,
        counted.*,
        case getvariable('ranking')
            when 'hits' then counted.hits
            when 'pairs' then counted.pair_hits
            else counted.trigger_score * cruxes.crux_weight
        end as trace_score,
    from query_attributes
    inner join new_cruxes as cruxes using (failure_id)
    inner join new_hits as counted using (crux_id, cluster_id)
    cross join mix
    where
        counted.hits >= getvariable('min_hits')
        and counted.lift >= getvariable('min_lift')
        and counted.cluster_rows <= getvariable('max_cluster_share') * mix_rows
        and cruxes.crux_rows <= getvariable('max_crux_share') * mix_rows
),

null_size as (
    select count(distinct crux_id) as neighborhoods from turf.null_hits
),

judged as (  -- one is added on both sides: what was never seen in 400 draws may still be as frequent as one in 401
    select
        options.*,
        (1 + count(by_chance.crux_id)) / (1 + any_value(neighborhoods)) as null_share,
    from options
    cross join null_size
    left join turf.null_hits as by_chance
        on options.cluster_id = by_chance.cluster_id and by_chance.trigger_score >= options.trigger_score
    group by all
),

best_of_cluster as (  -- a cluster is one trigger, with the crux and the attribute that speak for it most
    select *
    from judged
    where trace_score > 0 and null_share <= getvariable('max_null_share')
    qualify row_number() over (partition by failure_id, cluster_id order by trace_score desc, attribute_rank asc, crux_id asc) = 1
)

select
    failure_id,
    row_number() over (
        partition by failure_id order by trace_score desc, cluster_rows desc, attribute_rank asc, cluster_id asc
    )::integer as trigger_rank,
    crux_id,
    attribute,
    cluster_id,
    hits,
    pair_hits,
    neighbors,
    expected,
    lift,
    trigger_score,
    null_share,
    trace_score,
    cluster_rows,
from best_of_cluster
qualify trigger_rank <= getvariable('most_triggers')
order by failure_id, trigger_rank
