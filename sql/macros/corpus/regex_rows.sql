-- corpus.regex_rows: rows that match a regular expression on one side: `query`, `response` or `either`
-- paper: own
create or replace macro corpus.regex_rows(pattern, on_side := 'either') as table
    select
        row_id,
        content_id,
        chunk,
        conversation_id,
        turn,
        query,
        response,
    from corpus.rows
    where case on_side
        when 'query' then regexp_matches(query, pattern)
        when 'response' then regexp_matches(response, pattern)
        when 'either' then regexp_matches(query, pattern) or regexp_matches(response, pattern)
        else error('the side is query, response or either')
    end;

-- tests
select stats.equals((select list(row_id order by row_id) from corpus.regex_rows('^(def|import) ', 'response')), [4, 5]);
select stats.equals((select list(row_id order by row_id) from corpus.regex_rows('(?i)^are you ', on_side := 'query')), [7]);
select stats.equals((select count(*) from corpus.regex_rows('two parts|AI language')), 5);
select stats.equals((select count(*) from corpus.regex_rows('two parts', 'response')), 0);
select stats.equals((select count(*) from corpus.regex_rows(null, 'query')), 0);
