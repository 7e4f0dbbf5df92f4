-- turf.triggers: the failing query's attributes whose clusters go with a crux beyond chance, best first across cruxes
-- grain: one row per failure and trigger
-- paper: equations 5 and 6; all but the raw hits is our own (docs/decisions/0026)
with options as (
    select
        query_attributes.failure_id,
        query_attributes.attribute_rank,
        query_attributes.attribute,
        counted.*,
        least(counted.hits * cruxes.crux_rows / counted.neighbors, cruxes.crux_rows, counted.cluster_rows) as likely_rows,
        cruxes.crux_rows,
        cruxes.crux_weight,
        cruxes.top_relevance,
        coalesce(echoes.echo, 0) as echo,
        getvariable('mix_rows') as mix_rows,
    from query_attributes
    inner join new_cruxes as cruxes using (failure_id)
    inner join new_hits as counted using (crux_id, cluster_id)
    left join echoes using (failure_id, crux_id, attribute_rank)
    where
        counted.hits >= getvariable('min_hits')
        and counted.lift >= getvariable('min_lift')
        and counted.cluster_rows <= getvariable('max_cluster_share') * mix_rows
        and cruxes.crux_rows <= getvariable('max_crux_share') * mix_rows
),

judged as (
    select
        options.*,
        (likely_rows - cluster_rows * crux_rows / mix_rows) / sqrt(
            mix_rows * (cluster_rows * crux_rows / mix_rows * (1 - cluster_rows / mix_rows) * (1 - crux_rows / mix_rows) + 1)
        ) as association,
        coalesce(chance_score, 0) / sqrt(mix_rows) as chance_association,
        greatest(
            0, 1 - coalesce(stats.wilson_low(hits - inside_hits, cluster_rows - inside_rows), 0) / (inside_hits / inside_rows)
        ) as exclusivity,
        stats.wilson_low(likely_rows, cluster_rows) as p_low,
        -- one is added on both sides: what was never seen in 500 draws may still be as frequent as one in 501
        (1 + coalesce(len(list_filter(scores, lambda score: score >= trigger_score)), 0))
        / (1 + getvariable('neighborhoods')) as null_share,
        greatest(crux_weight - 0.25 * echo / top_relevance, 0) as relevance,
    from options
    left join null_levels using (cluster_id)
),

scored as (
    select
        *,
        case getvariable('ranking')
            when 'hits' then hits
            when 'pairs' then pair_hits
            else association / (1 + 20 * chance_association) * relevance ** 1.5 * exclusivity ** 4 * sqrt(p_low)
        end as trace_score,
    from judged
),

best_of_cluster as (  -- a cluster is one trigger, with the crux and the attribute that speak for it most
    select *
    from scored
    where trace_score > getvariable('min_score') and null_share <= getvariable('max_null_share')
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
    echo,
    association,
    chance_association,
    exclusivity,
    trace_score::double as trace_score,
    cluster_rows,
from best_of_cluster
qualify trigger_rank <= getvariable('most_triggers')
order by failure_id, trigger_rank
