-- correlations.examples: at most `most_rows` rows that carry both of two stored features, spread over chunks, shortest texts first
-- paper: own
create or replace macro correlations.examples(wanted_trigger, wanted_behavior, most_rows) as table
    with both_members as (
        select row_id
        from correlations.members
        where feature_id in (wanted_trigger, wanted_behavior)
        group by all
        having count(distinct feature_id) = if(wanted_trigger = wanted_behavior, 1, 2)
    ),

    ranked_rows as (
        select
            corpus.rows.row_id,
            chunk,
            conversation_id,
            turn,
            query,
            response,
            row_number() over (
                partition by chunk
                order by query_chars + response_chars, corpus.rows.row_id
            ) as place_in_chunk,
        from corpus.rows
        inner join both_members using (row_id)
    )

    select
        row_id,
        chunk,
        conversation_id,
        turn,
        query,
        response,
    from ranked_rows
    order by place_in_chunk asc, chunk asc
    limit most_rows;

-- tests
select stats.equals((select list(row_id order by row_id) from correlations.examples(101, 102, 10)), [1, 2]);
select stats.equals((select list(row_id) from correlations.examples(101, 102, 1)), [2]);
select stats.equals((select count(*) from correlations.examples(101, 101, 10)), 3);
select stats.equals((select count(*) from correlations.examples(101, 999, 10)), 0);
select stats.equals((select count(*) from correlations.examples(null, 102, 10)), 0);
