-- In which scripts are each chunk's queries and answers written, and do they agree?
-- parameters: least_share = 0.01 — combinations in a smaller share of their chunk are left out
-- Scripts that occur in the first 300 characters: counting letters instead took over two minutes on 270,000 rows.
with texts as (
    select
        chunk,
        left(query, 300) as query_start,
        left(response, 300) as response_start,
    from corpus.rows
),

scripted_rows as (
    select
        chunk,
        concat_ws(
            ' + ',
            if(regexp_matches(query_start, '[A-Za-z]'), 'Latin', null),
            if(regexp_matches(query_start, '\p{Han}'), 'Han', null),
            if(regexp_matches(query_start, '[\p{Hiragana}\p{Katakana}]'), 'kana', null),
            if(regexp_matches(query_start, '\p{Cyrillic}'), 'Cyrillic', null),
            if(
                regexp_matches(query_start, '[^\x00-\x{24F}\P{L}\p{Han}\p{Hiragana}\p{Katakana}\p{Cyrillic}]'),
                'other',
                null
            )
        ) as query_scripts,
        concat_ws(
            ' + ',
            if(regexp_matches(response_start, '[A-Za-z]'), 'Latin', null),
            if(regexp_matches(response_start, '\p{Han}'), 'Han', null),
            if(regexp_matches(response_start, '[\p{Hiragana}\p{Katakana}]'), 'kana', null),
            if(regexp_matches(response_start, '\p{Cyrillic}'), 'Cyrillic', null),
            if(
                regexp_matches(response_start, '[^\x00-\x{24F}\P{L}\p{Han}\p{Hiragana}\p{Katakana}\p{Cyrillic}]'),
                'other',
                null
            )
        ) as response_scripts,
    from texts
),

script_pairs as (
    select
        chunk,
        query_scripts,
        response_scripts,
        count(*) as rows,
        count(*) / sum(count(*)) over (partition by chunk) as share_of_chunk,
    from scripted_rows
    group by chunk, query_scripts, response_scripts
)

select
    chunk,
    coalesce(nullif(query_scripts, ''), 'none') as query_scripts,
    coalesce(nullif(response_scripts, ''), 'none') as response_scripts,
    script_pairs.rows,
    share_of_chunk,
from script_pairs
where share_of_chunk >= getvariable('least_share')
order by chunk asc, script_pairs.rows desc, script_pairs.query_scripts asc, script_pairs.response_scripts asc
