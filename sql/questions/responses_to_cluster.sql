-- Which response clusters go with a query cluster?
-- parameters: cluster = "" — the query cluster's sentence, or a part of it in any case; the largest that has it is taken
--   least_rows = 20 — response clusters that meet it in fewer rows are left out
--   most_clusters = 20 — response clusters shown, highest lower bound of the log odds first
with chosen_cluster as (
    select cluster_id as chosen_id
    from clusters.summaries
    where side = 'query' and contains(lower(cluster), lower(getvariable('cluster'))) and clusters.summaries.rows > 0
    order by clusters.summaries.rows desc, cluster asc
    limit 1
),

trigger_rows_of as (
    select distinct
        row_id,
        chunk,
    from attributes.row_attributes
    inner join clusters.assignments using (attribute_id)
    inner join chosen_cluster on cluster_id = chosen_id
),

meetings as (
    select
        cluster_id,
        chunk,
        count(distinct row_id) as chunk_rows,
    from trigger_rows_of
    inner join attributes.row_attributes using (row_id, chunk)
    inner join clusters.assignments using (attribute_id)
    where clusters.assignments.side = 'response'
    group by all
),

counted as (
    select
        cluster_id,
        sum(chunk_rows)::bigint as both_rows,
        arg_min(chunk, (-chunk_rows, chunk)) as leading_chunk,
        max(chunk_rows) / sum(chunk_rows) as leading_share,
    from meetings
    group by all
),

sizes as (
    select
        (select count(*) from trigger_rows_of) as trigger_rows,
        (select count(*) from corpus.rows) as mix_rows,
),

measured as (
    select
        query_clusters.cluster as query_cluster,
        response_clusters.cluster as response_cluster,
        cluster_id,
        trigger_rows,
        response_clusters.rows as behavior_rows,
        both_rows,
        both_rows / trigger_rows as p_behavior_given_trigger,
        (response_clusters.rows - both_rows) / nullif(mix_rows - trigger_rows, 0) as base_rate,
        (both_rows / trigger_rows) / (response_clusters.rows / mix_rows) as lift,
        trigger_rows - both_rows as trigger_alone,
        response_clusters.rows - both_rows as behavior_alone,
        mix_rows - trigger_rows - response_clusters.rows + both_rows as neither_rows,
        leading_chunk,
        leading_share,
    from counted
    inner join clusters.summaries as response_clusters using (cluster_id)
    cross join sizes
    cross join chosen_cluster
    inner join clusters.summaries as query_clusters on query_clusters.cluster_id = chosen_id
)

select
    query_cluster,
    response_cluster,
    p_behavior_given_trigger,
    base_rate,
    lift,
    trigger_rows,
    both_rows,
    stats.log_odds(both_rows, trigger_alone, behavior_alone, neither_rows)
    - 1.959963984540054 * stats.log_odds_error(both_rows, trigger_alone, behavior_alone, neither_rows) as score,
    leading_chunk as top_chunk,
    leading_share as top_chunk_share,
from measured
where both_rows >= getvariable('least_rows')
order by score desc, response_cluster asc, cluster_id asc
limit getvariable('most_clusters')
