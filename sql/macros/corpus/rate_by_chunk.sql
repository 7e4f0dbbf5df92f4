-- corpus.rate_by_chunk: in which share of each chunk's conversations one side (`query` or `response`) of the first exchange matches a regular expression, with a 95 % Wilson interval
-- paper: section 4.1 (LaTeX in 23 % of the prompts of one chunk)
create or replace macro corpus.rate_by_chunk(pattern, on_side := 'response') as table
    with marked_rows as (
        select
            chunk,
            case on_side
                when 'query' then corpus.matches(query, pattern)
                when 'response' then corpus.matches(response, pattern)
                else error('the side is query or response')
            end as is_match,
        from corpus.conversations
    )

    select
        chunk,
        count(*) as conversations,
        count(*) filter (where is_match) as matches,
        count(*) filter (where is_match) / count(*) as rate,
        stats.wilson_low(count(*) filter (where is_match), count(*)) as rate_low,
        stats.wilson_high(count(*) filter (where is_match), count(*)) as rate_high,
        stats.share(count(*) filter (where is_match), sum(count(*) filter (where is_match)) over ()) as share_of_matches,
    from marked_rows
    group by all
    order by rate desc, chunk asc;

-- tests
select stats.equals((select matches from corpus.rate_by_chunk('two parts', 'query') where chunk = 'math'), 2);
select stats.equals((select round(rate, 4) from corpus.rate_by_chunk('two parts', 'query') where chunk = 'code'), 0.3333);
select stats.equals((select round(max(share_of_matches), 4) from corpus.rate_by_chunk('two parts', 'query')), 0.6667);
select stats.equals((select max(rate) from corpus.rate_by_chunk('nowhere')), 0.0);
select stats.equals((select any_value(share_of_matches) from corpus.rate_by_chunk('nowhere')), null);
select stats.equals((select min(rate) from corpus.rate_by_chunk(null)), 1.0);
