-- correlations.pairs: how much more often the response has a behavior when the query has a trigger, inside chunks and across
-- grain: one row per trigger feature × behavior feature that meet in at least `min_both_rows` rows
-- paper: appendix A.4 (P(phrase | two-part)); statistics own, see docs/statistics.md
with chunk_numbers as (
    select
        chunk,
        row_number() over (order by chunk) - 1 as chunk_number,
    from (select distinct chunk from corpus.rows)
),

numbered_rows as (  -- a repeat carries no new evidence: the first row of a content (in the mix, in its chunk) stands for it
    select
        corpus.rows.row_id,
        chunk_number,
        (row_number() over (partition by content_id order by chunk_number, row_id) = 1)::utinyint as is_content,
        (row_number() over (partition by content_id, chunk_number order by row_id) = 1)::utinyint as is_unit,
    from corpus.rows
    inner join chunk_numbers using (chunk)
),

mix as (
    select
        count(*) as mix_rows,
        sum(is_content) as mix_contents,
        sum(is_unit) as mix_units,
    from numbered_rows
),

numbered_features as (
    select
        feature_id,
        side,
        kind,
        row_number() over (order by feature_id) as feature_number,
    from correlations.features
    where synonym_of is null
),

trigger_members as (
    select
        feature_number as trigger_number,
        row_id,
        chunk_number,
        is_content,
        is_unit,
    from correlations.members
    inner join numbered_features using (feature_id)
    inner join numbered_rows using (row_id)
    where side = 'query'
),

behavior_members as (
    select
        feature_number as behavior_number,
        row_id,
        chunk_number,
        is_content,
        is_unit,
    from correlations.members
    inner join numbered_features using (feature_id)
    inner join numbered_rows using (row_id)
    where side = 'response'
),

trigger_chunks as (
    select
        trigger_number,
        chunk_number,
        count(*) as chunk_trigger_rows,
        sum(is_content) as chunk_trigger_contents,
        sum(is_unit) as chunk_trigger_units,
    from trigger_members
    group by all
),

behavior_chunks as (
    select
        behavior_number,
        chunk_number,
        count(*) as chunk_behavior_rows,
        sum(is_content) as chunk_behavior_contents,
        sum(is_unit) as chunk_behavior_units,
    from behavior_members
    group by all
),

meetings as (  -- one packed integer as the grouping key: 5 times faster than three columns on 116 million joined rows
    select
        (trigger_number * 1048576 + behavior_number) * 1048576 + trigger_members.chunk_number as meeting,
        count(*) as chunk_both_rows,
        sum(trigger_members.is_content) as chunk_both_contents,
        sum(trigger_members.is_unit) as chunk_both_units,
    from trigger_members
    inner join behavior_members using (row_id)
    group by all
),

chunk_meetings as (
    select
        meeting >> 40 as trigger_number,
        (meeting >> 20) & 1048575 as behavior_number,
        meeting & 1048575 as chunk_number,
        chunk_both_rows,
        chunk_both_contents,
        chunk_both_units,
    from meetings
),

met_pairs as (
    select
        trigger_number,
        behavior_number,
        sum(chunk_both_rows) as both_rows,
        sum(chunk_both_contents) as both_contents,
        sum(chunk_both_units) as both_units,
        arg_max(chunk_number, chunk_both_rows * 1048576 - chunk_number) as top_chunk_number,
        max(chunk_both_rows) as top_chunk_rows,
    from chunk_meetings
    group by all
    having sum(chunk_both_rows) >= getvariable('min_both_rows')
),

chunk_units as (
    select
        chunk_number,
        sum(is_unit) as units,
    from numbered_rows
    group by all
),

strata as (  -- chunks in which both trigger and behavior vary; the others tell nothing about the inside
    select
        trigger_number,
        behavior_number,
        coalesce(chunk_both_units, 0)::double as a,
        (chunk_trigger_units - coalesce(chunk_both_units, 0))::double as b,
        (chunk_behavior_units - coalesce(chunk_both_units, 0))::double as c,
        (units - chunk_trigger_units - chunk_behavior_units + coalesce(chunk_both_units, 0))::double as d,
        units::double as n,
    from trigger_chunks
    inner join behavior_chunks using (chunk_number)
    inner join chunk_units using (chunk_number)
    inner join met_pairs using (trigger_number, behavior_number)
    left join chunk_meetings using (trigger_number, behavior_number, chunk_number)
    where chunk_trigger_units < units and chunk_behavior_units < units
),

strata_sums as (  -- sums of doubles depend on the order of the threads: 4,000 of 18,955 pairs changed in their last digits
    select
        trigger_number,
        behavior_number,
        sum((a * d / n)::decimal(38, 20))::double as r_plain,
        sum((b * c / n)::decimal(38, 20))::double as s_plain,
        sum(((a + 0.5) * (d + 0.5) / (n + 2))::decimal(38, 20))::double as r_padded,
        sum(((b + 0.5) * (c + 0.5) / (n + 2))::decimal(38, 20))::double as s_padded,
        sum(((a + d) * a * d / (n * n))::decimal(38, 20))::double as pr_plain,
        sum((((a + d) * b * c + (b + c) * a * d) / (n * n))::decimal(38, 20))::double as ps_qr_plain,
        sum(((b + c) * b * c / (n * n))::decimal(38, 20))::double as qs_plain,
        sum(((a + d + 1) * (a + 0.5) * (d + 0.5) / power(n + 2, 2))::decimal(38, 20))::double as pr_padded,
        sum((((a + d + 1) * (b + 0.5) * (c + 0.5) + (b + c + 1) * (a + 0.5) * (d + 0.5)) / power(n + 2, 2))::decimal(38, 20))::double as ps_qr_padded,
        sum(((b + c + 1) * (b + 0.5) * (c + 0.5) / power(n + 2, 2))::decimal(38, 20))::double as qs_padded,
    from strata
    group by all
),

within_sums as (  -- 0.5 is added to the cells only where a sum is zero and the ratio would be zero or infinite
    select
        trigger_number,
        behavior_number,
        if(r_plain > 0 and s_plain > 0, r_plain, r_padded) as r,
        if(r_plain > 0 and s_plain > 0, s_plain, s_padded) as s,
        if(r_plain > 0 and s_plain > 0, pr_plain, pr_padded) as pr,
        if(r_plain > 0 and s_plain > 0, ps_qr_plain, ps_qr_padded) as ps_qr,
        if(r_plain > 0 and s_plain > 0, qs_plain, qs_padded) as qs,
    from strata_sums
),

within_estimates as (
    select
        trigger_number,
        behavior_number,
        ln(r / s) as within_log_odds,
        ln(r / s) - 1.959963984540054 * sqrt(pr / (2 * r * r) + ps_qr / (2 * r * s) + qs / (2 * s * s)) as within_low,
        ln(r / s) + 1.959963984540054 * sqrt(pr / (2 * r * r) + ps_qr / (2 * r * s) + qs / (2 * s * s)) as within_high,
    from within_sums
),

triggers as (
    select
        trigger_number,
        any_value(feature_id) as trigger_id,
        any_value(kind) as trigger_kind,
        sum(chunk_trigger_rows) as trigger_rows,
        sum(chunk_trigger_contents) as content_count,
        sum(chunk_trigger_units) as unit_count,
    from trigger_chunks
    inner join numbered_features on trigger_number = feature_number
    group by trigger_number
),

behaviors as (
    select
        behavior_number,
        any_value(feature_id) as behavior_id,
        sum(chunk_behavior_rows) as behavior_rows,
        sum(chunk_behavior_contents) as content_count,
        sum(chunk_behavior_units) as unit_count,
    from behavior_chunks
    inner join numbered_features on behavior_number = feature_number
    group by behavior_number
),

counted_pairs as (  -- a chunk is no function of the content, so its evidence is counted by distinct content inside each chunk
    select
        trigger_number,
        behavior_number,
        trigger_id,
        behavior_id,
        trigger_rows,
        behavior_rows,
        both_rows,
        mix_rows,
        top_chunk_number,
        top_chunk_rows,
        if(trigger_kind = 'chunk', triggers.unit_count, triggers.content_count) as trigger_contents,
        if(trigger_kind = 'chunk', behaviors.unit_count, behaviors.content_count) as behavior_contents,
        if(trigger_kind = 'chunk', both_units, both_contents) as both_contents,
        if(trigger_kind = 'chunk', mix_units, mix_contents) as all_contents,
    from met_pairs
    inner join triggers using (trigger_number)
    inner join behaviors using (behavior_number)
    cross join mix
),

estimated_pairs as (
    select
        *,
        stats.log_odds(
            both_contents,
            trigger_contents - both_contents,
            behavior_contents - both_contents,
            all_contents - trigger_contents - behavior_contents + both_contents
        ) as log_odds,
        stats.log_odds_error(
            both_contents,
            trigger_contents - both_contents,
            behavior_contents - both_contents,
            all_contents - trigger_contents - behavior_contents + both_contents
        ) as log_odds_error,
    from counted_pairs
    where trigger_contents >= getvariable('min_trigger_contents')
),

rooted_pairs as (  -- Wald's z is lenient in the tail of small counts: 25 false pairs of 75,600 on a permuted mix, against none
    select
        *,
        stats.signed_root(
            both_contents,
            trigger_contents - both_contents,
            behavior_contents - both_contents,
            all_contents - trigger_contents - behavior_contents + both_contents
        ) as z,
    from estimated_pairs
),

tested_pairs as (
    select
        *,
        stats.log10_p(z) as log10_p,
        row_number() over (order by abs(z) desc, trigger_id asc, behavior_id asc) as p_rank,
        (select count(*) from triggers) * (select count(*) from behaviors) as tests,
    from rooted_pairs
),

common_words as (  -- words in more than 5 % of the texts of a side carry grammar, not content
    select distinct phrase as word
    from keywords.phrases
    where
        tokens = 1
        and position = 'anywhere'
        and rows > 0.05 * (select mix_rows from mix)
),

echo_words as (
    select
        feature_id,
        unnest(regexp_extract_all(
            -- what a cluster's sentence quotes: the words of its topic, or its phrase
            if(correlations.features.kind = 'cluster', regexp_extract(definition, '“(.*)”', 1), definition),
            '[\p{L}\p{M}]{3,}|\p{Han}{2,}'
        )) as word,
    from numbered_features
    inner join correlations.features using (feature_id)
    where correlations.features.kind in ('keyword', 'phrase', 'cluster')
),

content_words as (
    select
        feature_id,
        word,
    from echo_words
    anti join common_words using (word)
),

echo_marks as (  -- what a feature would share with its echo on the other side: content words, itself, a longer phrase
    select
        correlations.features.feature_id,
        coalesce(list_distinct(array_agg(word) filter (where word is not null)), []) as words,
        if(kind = 'cluster', 2, 1) as least_words,  -- one word of two topics' names is no theme
        kind || ' ' || if(kind = 'cluster', regexp_replace(definition, '^The (query|response) ', ''), definition) as identity,
        if(length(definition) >= 6 and kind in ('keyword', 'phrase'), definition, null) as phrase,
    from correlations.features
    left join content_words using (feature_id)
    group by all
),

judged_pairs as (  -- Benjamini and Hochberg over all trigger × behavior pairs: those that never meet count as tested, with p = 1
    select
        *,
        least(
            1,
            power(10, least(0, min(log10_p + log10(tests / p_rank)) over (
                order by p_rank desc rows between unbounded preceding and current row
            )))
        ) as q_value,
    from tested_pairs
)

select
    trigger_id,
    behavior_id,
    trigger_rows,
    behavior_rows,
    both_rows,
    trigger_contents,
    behavior_contents,
    both_contents,
    both_rows / trigger_rows as p_behavior_given_trigger,
    stats.wilson_low(both_contents, trigger_contents) as p_low,
    stats.wilson_high(both_contents, trigger_contents) as p_high,
    (behavior_rows - both_rows) / nullif(mix_rows - trigger_rows, 0) as base_rate,
    (both_rows / trigger_rows) / (behavior_rows / mix_rows) as lift,
    log_odds,
    log_odds - 1.959963984540054 * log_odds_error as score,
    log10_p,
    q_value,
    within_log_odds,
    within_low,
    within_high,
    case
        when within_log_odds is null then null
        when sign(log_odds) * if(log_odds > 0, within_low, within_high) <= 0 then 'between'
        when abs(within_log_odds) >= abs(log_odds) / 2 then 'within'
        else 'mixed'
    end as scope,
    coalesce(if(log_odds > 0, within_high < 0, within_low > 0), false) as is_reversed,
    coalesce(
        trigger_marks.identity = behavior_marks.identity
        or len(list_intersect(trigger_marks.words, behavior_marks.words))
        >= least(trigger_marks.least_words, behavior_marks.least_words)
        or contains(trigger_marks.phrase, behavior_marks.phrase)
        or contains(behavior_marks.phrase, trigger_marks.phrase),
        false
    ) as is_echo,
    chunk_numbers.chunk as top_chunk,
    top_chunk_rows / both_rows as top_chunk_share,
from judged_pairs
inner join echo_marks as trigger_marks on trigger_id = trigger_marks.feature_id
inner join echo_marks as behavior_marks on behavior_id = behavior_marks.feature_id
inner join chunk_numbers on top_chunk_number = chunk_numbers.chunk_number
left join within_estimates using (trigger_number, behavior_number)
order by trigger_id, behavior_id
