-- correlations.rows_with: rows that have a feature on one side, whatever kind defines it: `phrase` (text in any case), `regex`, `chunk`, `feature` (name of a stored one), `attribute` or `cluster` (its sentence, or a part of it in any case: the one of most rows); a null or empty one means all rows
-- paper: appendix A.4 (P(phrase given two-part)), over features of every kind; see embeddings.neighborhood_rows for one more
create or replace macro correlations.rows_with(on_side, of_kind, wanted) as table
    with chosen_attributes as (
        select attribute_id
        from attributes.texts as texts
        where of_kind = 'attribute' and texts.side = on_side and contains(lower(attribute), lower(wanted))
        order by texts.rows desc, attribute asc
        limit 1
    ),

    chosen_clusters as (
        select cluster_id
        from clusters.summaries as summaries
        left join clusters.names using (cluster_id)
        where
            of_kind = 'cluster' and summaries.side = on_side
            and (contains(lower(cluster), lower(wanted)) or contains(lower(coalesce(cluster_name, '')), lower(wanted)))
        order by summaries.rows desc, cluster asc
        limit 1
    ),

    wanted_attributes as (
        select attribute_id from chosen_attributes
        union all
        select attribute_id from clusters.assignments inner join chosen_clusters using (cluster_id)
    ),

    attributed_rows as (
        select distinct row_id
        from attributes.row_attributes
        inner join wanted_attributes using (attribute_id)
    ),

    chosen_features as (
        select feature_id
        from correlations.features as features
        where of_kind = 'feature' and features.side = on_side and lower(features.name) = lower(wanted)
        order by features.rows desc, feature_id asc
        limit 1
    )

    select row_id
    from corpus.rows
    where case
        when on_side not in ('query', 'response') then error('the side is query or response')
        when coalesce(wanted, '') = '' then true
        when of_kind = 'phrase' then contains(lower(if(on_side = 'query', query, response)), lower(wanted))
        when of_kind = 'regex' then corpus.matches(if(on_side = 'query', query, response), if(of_kind = 'regex', wanted, ''))
        when of_kind = 'chunk' then chunk = wanted
        when of_kind in ('attribute', 'cluster') then row_id in (select row_id from attributed_rows)
        when of_kind = 'feature' then row_id in (select row_id from correlations.members inner join chosen_features using (feature_id))
        else error('the kind is phrase, regex, chunk, feature, attribute or cluster')
    end;

-- tests
select stats.equals((select list(row_id order by row_id) from correlations.rows_with('query', 'phrase', 'TWO PARTS')), [1, 2, 6]);
select stats.equals((select list(row_id order by row_id) from correlations.rows_with('response', 'regex', '^(def|import) ')), [4, 5]);
select stats.equals((select list(row_id order by row_id) from correlations.rows_with('query', 'chunk', 'math')), [1, 2, 3]);
select stats.equals((select list(row_id order by row_id) from correlations.rows_with('response', 'feature', 'I hope')), [1, 2, 10]);
select stats.equals((select count(*) from correlations.rows_with('response', 'phrase', '(')), 2);
select stats.equals((select count(*) from correlations.rows_with('query', 'regex', '')), 10);
select stats.equals((select count(*) from correlations.rows_with('query', 'cluster', null)), 10);
select stats.equals((select count(*) from correlations.rows_with('response', 'feature', 'no such feature')), 0);
