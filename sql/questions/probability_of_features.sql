-- How likely is a response with one feature, given a query with another, in the mix and inside each chunk?
-- parameters: trigger_kind = "regex" — what defines the trigger: phrase, regex, chunk, feature, attribute, cluster or neighborhood
--   trigger = "(?i)step[- ]by[- ]step" — its definition: a text, an expression, a name, or an attribute's sentence or a part of it; empty = any query
--   behavior_kind = "phrase" — what defines the behavior; the same kinds
--   behavior = "the answer is" — its definition; empty = any response
--   most_rows = 1000 — rows in a neighborhood
--   least_similarity = 0.5 — rows less similar are no neighbors
-- A chunk of null is the whole mix. Counts are rows, intervals rest on distinct contents, as in correlations.pairs.
with trigger_members as (
    select row_id
    from
        correlations.rows_with(
            'query',
            if(getvariable('trigger_kind') = 'neighborhood', 'phrase', getvariable('trigger_kind')),
            getvariable('trigger')
        )
    where getvariable('trigger_kind') <> 'neighborhood'
    union all
    select row_id
    from
        embeddings.neighborhood_rows(
            'query',
            getvariable('trigger'),
            most_rows := getvariable('most_rows'),
            least_similarity := getvariable('least_similarity')
        )
    where getvariable('trigger_kind') = 'neighborhood'
),

behavior_members as (
    select row_id
    from
        correlations.rows_with(
            'response',
            if(getvariable('behavior_kind') = 'neighborhood', 'phrase', getvariable('behavior_kind')),
            getvariable('behavior')
        )
    where getvariable('behavior_kind') <> 'neighborhood'
    union all
    select row_id
    from
        embeddings.neighborhood_rows(
            'response',
            getvariable('behavior'),
            most_rows := getvariable('most_rows'),
            least_similarity := getvariable('least_similarity')
        )
    where getvariable('behavior_kind') = 'neighborhood'
),

marked_rows as (
    select
        chunk,
        content_id,
        trigger_members.row_id is not null as has_trigger,
        behavior_members.row_id is not null as has_behavior,
    from corpus.rows as mix
    left join trigger_members on mix.row_id = trigger_members.row_id
    left join behavior_members on mix.row_id = behavior_members.row_id
),

counted as (
    select
        chunk,
        grouping(chunk) = 1 as is_mix,
        count(*) as mix_rows,
        count(*) filter (where has_trigger) as trigger_rows,
        count(*) filter (where has_behavior) as behavior_rows,
        count(*) filter (where has_trigger and has_behavior) as both_rows,
        count(distinct content_id) filter (where has_trigger) as trigger_contents,
        count(distinct content_id) filter (where has_trigger and has_behavior) as both_contents,
    from marked_rows
    group by grouping sets ((), (chunk))
)

select
    chunk,
    mix_rows as rows,
    trigger_rows,
    behavior_rows,
    both_rows,
    both_rows / nullif(trigger_rows, 0) as p_behavior_given_trigger,
    stats.wilson_low(both_contents, trigger_contents) as p_low,
    stats.wilson_high(both_contents, trigger_contents) as p_high,
    (behavior_rows - both_rows) / nullif(mix_rows - trigger_rows, 0) as base_rate,
    stats.lift(both_rows, trigger_rows, behavior_rows, mix_rows) as lift,
    both_rows / nullif(max(both_rows) over (), 0) as share_of_both,
from counted
where is_mix or trigger_rows + behavior_rows > 0
order by is_mix desc, both_rows desc, trigger_rows desc, chunk asc
