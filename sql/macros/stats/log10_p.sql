-- stats.log10_p: log10 of the two-sided p-value of a standard normal z, finite however large z is
-- paper: own (Chebyshev fit of erfc, relative error below 1.2e-7 everywhere)
create or replace macro stats.log10_p(z) as
    case when z is not null then least(
        0,
        (
            ln(1 / (1 + abs(z) / 2.828427124746190)) - z * z / 2
            - 1.26551223
            + 1.00002368 * (1 / (1 + abs(z) / 2.828427124746190))
            + 0.37409196 * power(1 / (1 + abs(z) / 2.828427124746190), 2)
            + 0.09678418 * power(1 / (1 + abs(z) / 2.828427124746190), 3)
            - 0.18628806 * power(1 / (1 + abs(z) / 2.828427124746190), 4)
            + 0.27886807 * power(1 / (1 + abs(z) / 2.828427124746190), 5)
            - 1.13520398 * power(1 / (1 + abs(z) / 2.828427124746190), 6)
            + 1.48851587 * power(1 / (1 + abs(z) / 2.828427124746190), 7)
            - 0.82215223 * power(1 / (1 + abs(z) / 2.828427124746190), 8)
            + 0.17087277 * power(1 / (1 + abs(z) / 2.828427124746190), 9)
        ) / ln(10)
    ) end;

-- tests
select stats.equals(round(stats.log10_p(1.959963984540054), 5), -1.30103);
select stats.equals(round(stats.log10_p(-40), 2), -349.14);
select stats.equals(round(stats.log10_p(0), 5), 0.0);
select stats.equals(stats.log10_p(null), null);
