-- Which rare terms of a query stand in the mix, in which chunks, and how often are the rows that have them refused or contradicted?
-- parameters: query = "Which colors did the iPhone 13 come in?" — the failing query
--   least_rows = 2 — terms in fewer rows are left out
--   most_rows = 1000 — terms in more rows are not rare
--   most_words = 100 — words of the query that are looked at
--   refusal = "(?i)^.{0,80}(I('m| am) (sorry|unable|not able)|I (can(no|')t|cannot|won't|will not|must decline)|as an AI)" — what a refusal looks like in the first line
--   rebuttal = "(?i)^\\W*(no[,. ]|actually|(that|this|it) (is|was)(n't| not) (true|correct|right|accurate)|there (is|was|are|were) no )" — what contradicting the user looks like
-- A chunk of null is the whole mix. Appendix A.2 of the paper: "iPhone 13" was refused wherever it occurred.
with query_words as (
    select list_slice(regexp_extract_all(lower(getvariable('query')), '[\p{L}\p{N}]+'), 1, getvariable('most_words')) as words
),

places as (
    select
        words,
        unnest(generate_series(1, len(words))) as place,
    from query_words
),

starts as (
    select
        words,
        place,
        unnest([1, 2, 3]) as term_words,
    from places
),

terms as (
    select distinct array_to_string(list_slice(words, place, place + term_words - 1), ' ') as term
    from starts
    where place + term_words - 1 <= len(words)
),

texts as (
    select
        row_id,
        chunk,
        ' ' || regexp_replace(lower(query), '[^\p{L}\p{N}]+', ' ', 'g') || ' ' as plain_query,
        corpus.matches(response, getvariable('refusal')) as is_refusal,
        corpus.matches(response, getvariable('rebuttal')) as is_rebuttal,
    from corpus.rows
),

mix as (
    select
        avg(is_refusal::integer) as mix_refusal_rate,
        avg(is_rebuttal::integer) as mix_rebuttal_rate,
    from texts
),

counted as (
    select
        term,
        chunk,
        grouping(chunk) = 1 as is_mix,
        count(*) as term_rows,
        count(*) filter (where is_refusal) as refusals,
        count(*) filter (where is_rebuttal) as rebuttals,
    from terms
    inner join texts on contains(plain_query, ' ' || term || ' ')
    group by grouping sets ((term), (term, chunk))
),

ranked as (
    select
        *,
        max(if(is_mix, term_rows, null)) over (partition by term) as all_rows,
        max(if(is_mix, greatest(stats.wilson_low(refusals, term_rows), stats.wilson_low(rebuttals, term_rows)), null))
            over (partition by term)
        as term_weight,
    from counted
)

select
    term,
    chunk,
    term_rows as rows,
    refusals,
    refusals / term_rows as refusal_rate,
    mix_refusal_rate,
    rebuttals,
    rebuttals / term_rows as rebuttal_rate,
    mix_rebuttal_rate,
from ranked
cross join mix
where all_rows between getvariable('least_rows') and getvariable('most_rows')
order by term_weight desc, all_rows asc, term asc, is_mix desc, term_rows desc, chunk asc
