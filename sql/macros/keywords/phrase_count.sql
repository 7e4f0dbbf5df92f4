-- keywords.phrase_count: how many rows of each chunk hold a text exactly as written, by side; ad hoc, over the texts themselves
-- paper: section 4 ("elucidate": about 2,000 rows, 85 % from one chunk)
create or replace macro keywords.phrase_count(exact_text) as table
    with marked_rows as (
        select
            chunk,
            contains(query, exact_text) as is_in_query,
            contains(response, exact_text) as is_in_response,
        from corpus.rows
    )

    select
        chunk,
        count(*) filter (where is_in_query) as query_rows,
        count(*) filter (where is_in_response) as response_rows,
        count(*) filter (where is_in_query or is_in_response) as either_rows,
        count(*) as chunk_rows,
        count(*) filter (where is_in_query or is_in_response) / count(*) as share_of_chunk,
        stats.share(
            count(*) filter (where is_in_query or is_in_response),
            sum(count(*) filter (where is_in_query or is_in_response)) over ()
        ) as share_of_matches,
    from marked_rows
    group by all
    having count(*) filter (where is_in_query or is_in_response) > 0
    order by either_rows desc, chunk asc;

-- tests
select stats.equals((select list(chunk order by chunk) from keywords.phrase_count('I hope it is correct')), ['chat', 'math']);
select stats.equals((select max(response_rows) from keywords.phrase_count('I hope it is correct')), 2);
select stats.equals((select round(max(share_of_matches), 4) from keywords.phrase_count('I hope it is correct')), 0.6667);
select stats.equals((select sum(query_rows) from keywords.phrase_count('Hello')), 2);
select stats.equals((select count(*) from keywords.phrase_count('nowhere')), 0);
select stats.equals((select count(*) from keywords.phrase_count(null)), 0);
