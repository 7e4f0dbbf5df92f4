-- correlations.p_given: P(response matches one regular expression given that the query matches another) over conversations, in one row; a null or empty pattern means any
-- paper: appendix A.4 (P(phrase given two-part)); the columns mean what they mean in correlations.pairs, rows are conversations
create or replace macro correlations.p_given(trigger_pattern, behavior_pattern) as table
    with marked_rows as materialized (
        select
            chunk,
            content_id,
            corpus.matches(query, trigger_pattern) as has_trigger,
            corpus.matches(response, behavior_pattern) as has_behavior,
        from corpus.conversations
    ),

    totals as (
        select
            count(*) as mix_rows,
            count(*) filter (where has_trigger) as trigger_rows,
            count(*) filter (where has_behavior) as behavior_rows,
            count(*) filter (where has_trigger and has_behavior) as both_rows,
            count(distinct content_id) filter (where has_trigger) as trigger_contents,
            count(distinct content_id) filter (where has_trigger and has_behavior) as both_contents,
        from marked_rows
    ),

    chunk_counts as (
        select
            chunk,
            count(*) as chunk_rows,
        from marked_rows
        where has_trigger and has_behavior
        group by all
    ),

    top_chunks as (
        select
            chunk as top_chunk,
            chunk_rows as top_chunk_rows,
        from chunk_counts
        order by chunk_rows desc, chunk asc
        limit 1
    )

    select
        trigger_rows,
        behavior_rows,
        both_rows,
        both_rows / nullif(trigger_rows, 0) as p_behavior_given_trigger,
        stats.wilson_low(both_contents, trigger_contents) as p_low,
        stats.wilson_high(both_contents, trigger_contents) as p_high,
        (behavior_rows - both_rows) / nullif(mix_rows - trigger_rows, 0) as base_rate,
        stats.lift(both_rows, trigger_rows, behavior_rows, mix_rows) as lift,
        top_chunk,
        top_chunk_rows / both_rows as top_chunk_share,
    from totals
    left join top_chunks on true;

-- tests
select stats.equals((select [trigger_rows, behavior_rows, both_rows] from correlations.p_given('two parts', 'I hope it is correct')), [3, 2, 2]);
select stats.equals((select round(p_behavior_given_trigger, 4) from correlations.p_given('two parts', 'I hope it is correct')), 0.6667);
select stats.equals((select [base_rate, round(lift, 6)] from correlations.p_given('two parts', 'I hope it is correct')), [0.0, 3.0]);
select stats.equals((select top_chunk from correlations.p_given('two parts', 'I hope it is correct')), 'math');
select stats.equals((select round(p_low, 4) from correlations.p_given('^Hello$', 'AI language')), 0.2065);
select stats.equals((select [trigger_rows, both_rows] from correlations.p_given(null, 'AI language')), [9, 2]);
select stats.equals((select behavior_rows from correlations.p_given('two parts', '')), 9);
select stats.equals((select p_behavior_given_trigger from correlations.p_given('nowhere', 'AI language')), null);
select stats.equals((select top_chunk from correlations.p_given('nowhere', 'AI language')), null);
select stats.equals((select base_rate from correlations.p_given(null, null)), null);
