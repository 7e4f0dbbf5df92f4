-- correlations.p_by_chunk: the same probability as correlations.p_given inside each chunk that holds trigger or behavior
-- paper: own; a correlation that vanishes or turns here holds between chunks, not inside them
create or replace macro correlations.p_by_chunk(trigger_pattern, behavior_pattern) as table
    with marked_rows as (
        select
            chunk,
            content_id,
            corpus.matches(query, trigger_pattern) as has_trigger,
            corpus.matches(response, behavior_pattern) as has_behavior,
        from corpus.conversations
    ),

    chunk_counts as (
        select
            chunk,
            count(*) as chunk_rows,
            count(*) filter (where has_trigger) as trigger_rows,
            count(*) filter (where has_behavior) as behavior_rows,
            count(*) filter (where has_trigger and has_behavior) as both_rows,
            count(distinct content_id) filter (where has_trigger) as trigger_contents,
            count(distinct content_id) filter (where has_trigger and has_behavior) as both_contents,
        from marked_rows
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
select stats.equals((select list(chunk order by chunk) from correlations.p_by_chunk('two parts', 'I hope it is correct')), ['code', 'math']);
select stats.equals((select [chunk_rows, trigger_rows, both_rows] from correlations.p_by_chunk('two parts', 'I hope it is correct') where chunk = 'math'), [3, 2, 2]);
select stats.equals((select p_behavior_given_trigger from correlations.p_by_chunk('two parts', 'I hope it is correct') where chunk = 'code'), 0.0);
select stats.equals((select lift from correlations.p_by_chunk('two parts', 'I hope it is correct') where chunk = 'code'), null);
select stats.equals((select max(share_of_both) from correlations.p_by_chunk('two parts', 'I hope it is correct')), 1.0);
select stats.equals((select count(*) from correlations.p_by_chunk('nowhere', 'nowhere')), 0);
select stats.equals((select sum(both_rows) from correlations.p_by_chunk(null, null)), 9);
