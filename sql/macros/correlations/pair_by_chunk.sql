-- correlations.pair_by_chunk: P(behavior given trigger) of two stored features inside each chunk that holds either; ids from correlations.features
-- paper: own
create or replace macro correlations.pair_by_chunk(wanted_trigger, wanted_behavior) as table
    with trigger_members as (
        select row_id
        from correlations.members
        where feature_id = wanted_trigger
    ),

    behavior_members as (
        select row_id
        from correlations.members
        where feature_id = wanted_behavior
    ),

    chunk_counts as (
        select
            corpus.rows.chunk,
            count(*) as chunk_rows,
            count(trigger_members.row_id) as trigger_rows,
            count(behavior_members.row_id) as behavior_rows,
            count(*) filter (
                where trigger_members.row_id is not null and behavior_members.row_id is not null
            ) as both_rows,
            count(distinct content_id) filter (where trigger_members.row_id is not null) as trigger_contents,
            count(distinct content_id) filter (
                where trigger_members.row_id is not null and behavior_members.row_id is not null
            ) as both_contents,
        from corpus.rows
        left join trigger_members using (row_id)
        left join behavior_members on corpus.rows.row_id = behavior_members.row_id
        group by all
    )

    select
        chunk,
        chunk_rows,
        trigger_rows,
        behavior_rows,
        both_rows,
        both_rows / nullif(trigger_rows, 0) as p_behavior_given_trigger,
        stats.wilson_low(both_contents, trigger_contents) as p_low,
        stats.wilson_high(both_contents, trigger_contents) as p_high,
        (behavior_rows - both_rows) / nullif(chunk_rows - trigger_rows, 0) as base_rate,
        stats.lift(both_rows, trigger_rows, behavior_rows, chunk_rows) as lift,
        stats.share(both_rows, sum(both_rows) over ()) as share_of_both,
    from chunk_counts
    where trigger_rows + behavior_rows > 0
    order by both_rows desc, trigger_rows desc, chunk asc;

-- tests
select stats.equals((select list(chunk order by chunk) from correlations.pair_by_chunk(101, 102)), ['chat', 'code', 'math']);
select stats.equals((select [chunk_rows, trigger_rows, behavior_rows, both_rows] from correlations.pair_by_chunk(101, 102) where chunk = 'math'), [3, 2, 2, 2]);
select stats.equals((select p_behavior_given_trigger from correlations.pair_by_chunk(101, 102) where chunk = 'chat'), null);
select stats.equals((select base_rate from correlations.pair_by_chunk(101, 102) where chunk = 'chat'), 0.25);
select stats.equals((select count(*) from correlations.pair_by_chunk(7, 8)), 0);
select stats.equals((select count(*) from correlations.pair_by_chunk(null, null)), 0);
