-- corpus.phrase_rows: rows whose query or response holds a text exactly as written (case, spaces and all)
-- paper: section 4 ("elucidate")
create or replace macro corpus.phrase_rows(exact_text) as table
    select
        row_id,
        content_id,
        chunk,
        conversation_id,
        turn,
        contains(query, exact_text) as is_in_query,
        contains(response, exact_text) as is_in_response,
        query,
        response,
    from corpus.rows
    where contains(query, exact_text) or contains(response, exact_text);

-- tests
select stats.equals((select list(row_id order by row_id) from corpus.phrase_rows('I hope it is correct')), [1, 2, 10]);
select stats.equals((select is_in_query from corpus.phrase_rows('ChatGPT')), true);
select stats.equals((select count(*) from corpus.phrase_rows('i hope it is correct')), 0);
select stats.equals((select count(*) from corpus.phrase_rows('(')), 2);
select stats.equals((select count(*) from corpus.phrase_rows(null)), 0);
