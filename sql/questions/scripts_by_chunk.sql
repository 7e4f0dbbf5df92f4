-- In which scripts are each chunk's queries and answers written, and do they agree?
-- parameters: least_share = 0.01 — combinations in a smaller share of their chunk are left out
-- The script is that of most letters among the first 2,000 characters.
with texts as (
    select
        chunk,
        row_id,
        unnest([{side: 'query', text: left(query, 2000)}, {side: 'response', text: left(response, 2000)}], recursive := true),
    from corpus.rows
),

letter_counts as (
    select
        chunk,
        row_id,
        side,
        length(regexp_replace(text, '[^\p{Latin}]', '', 'g')) as latin_letters,
        length(regexp_replace(text, '[^\p{Han}]', '', 'g')) as han_letters,
        length(regexp_replace(text, '[^\p{Cyrillic}]', '', 'g')) as cyrillic_letters,
        length(regexp_replace(text, '[\P{L}\p{Latin}\p{Han}\p{Cyrillic}]', '', 'g')) as other_letters,
    from texts
),

scripts as (
    select
        chunk,
        row_id,
        side,
        case greatest(latin_letters, han_letters, cyrillic_letters, other_letters)
            when 0 then 'none'
            when latin_letters then 'Latin'
            when han_letters then 'Han'
            when cyrillic_letters then 'Cyrillic'
            else 'other'
        end as script,
    from letter_counts
),

scripted_rows as (
    select
        chunk,
        row_id,
        any_value(script) filter (where side = 'query') as query_script,
        any_value(script) filter (where side = 'response') as response_script,
    from scripts
    group by all
),

script_pairs as (
    select
        chunk,
        query_script,
        response_script,
        count(*) as rows,
        count(*) / sum(count(*)) over (partition by chunk) as share_of_chunk,
    from scripted_rows
    group by chunk, query_script, response_script
)

select
    chunk,
    query_script,
    response_script,
    script_pairs.rows,
    share_of_chunk,
from script_pairs
where share_of_chunk >= getvariable('least_share')
order by chunk asc, script_pairs.rows desc, query_script asc, response_script asc
