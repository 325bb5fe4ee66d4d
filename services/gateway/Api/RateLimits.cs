using System.Globalization;
using System.Threading.RateLimiting;
using DaprPlatform.ServiceDefaults.Problems;

namespace DaprPlatform.Gateway.Api;

/// <summary>
/// How often one caller may ask: a signed-in user by the user, everybody else by the address. Sign-up and sign-in, where every try costs a password hash and
/// may be a guess, have a limit of their own by address.
/// </summary>
/// <param name="PerSecond">Requests of one caller a second (<c>RATE_LIMIT_PER_SECOND</c>); twice as many at once. 0: no limit.</param>
/// <param name="SignInsPerMinute">Of one address (<c>SIGN_IN_LIMIT_PER_MINUTE</c>). 0: no limit.</param>
internal sealed record RateLimits(int PerSecond, int SignInsPerMinute)
{
    private static readonly PathString SignIn = "/api/v1/auth";
    // Guesses nothing and hashes no password: every page of the storefront begins with it.
    private static readonly PathString SessionRefresh = "/api/v1/auth/session/refresh";
    private static readonly PathString Api = "/api";

    public static RateLimits From(IConfiguration configuration)
    {
        var limits = new RateLimits(configuration.GetValue("RATE_LIMIT_PER_SECOND", 100), configuration.GetValue("SIGN_IN_LIMIT_PER_MINUTE", 30));
        if (limits.PerSecond < 0 || limits.SignInsPerMinute < 0)
            throw new InvalidOperationException("RATE_LIMIT_PER_SECOND and SIGN_IN_LIMIT_PER_MINUTE must not be below 0.");
        return limits;
    }

    public static void AddTo(WebApplicationBuilder builder)
    {
        var limits = From(builder.Configuration);
        builder.Services.AddRateLimiter(options =>
        {
            options.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, string>(limits.PartitionOf);
            options.OnRejected = static (rejected, _) => RefuseAsync(rejected.HttpContext, rejected.Lease);
        });
    }

    private RateLimitPartition<string> PartitionOf(HttpContext context)
    {
        var path = context.Request.Path;
        if (SignInsPerMinute > 0 && path.StartsWithSegments(SignIn, StringComparison.Ordinal) && !path.Equals(SessionRefresh, StringComparison.Ordinal))
            return RateLimitPartition.GetTokenBucketLimiter("sign-in " + context.Connection.RemoteIpAddress, _ => Bucket(SignInsPerMinute, SignInsPerMinute, TimeSpan.FromMinutes(1)));
        // Health, metrics and documents are not for the world; who probes them is not to be refused.
        if (PerSecond == 0 || !path.StartsWithSegments(Api, StringComparison.Ordinal))
            return RateLimitPartition.GetNoLimiter("");
        var caller = context.User.FindFirst("sub")?.Value ?? context.Connection.RemoteIpAddress?.ToString() ?? "";
        return RateLimitPartition.GetTokenBucketLimiter(caller, _ => Bucket(PerSecond, PerSecond * 2, TimeSpan.FromSeconds(1)));
    }

    private static TokenBucketRateLimiterOptions Bucket(int tokens, int limit, TimeSpan period) =>
        new() { TokensPerPeriod = tokens, TokenLimit = limit, ReplenishmentPeriod = period, QueueLimit = 0 };

    private static ValueTask RefuseAsync(HttpContext context, RateLimitLease lease)
    {
        var seconds = lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? Math.Max(1, (int)Math.Ceiling(after.TotalSeconds)) : 1;
        throw new ProblemException(
            StatusCodes.Status429TooManyRequests,
            "too-many-requests",
            "Too many requests",
            string.Create(CultureInfo.InvariantCulture, $"{context.Request.Method} was asked too often; wait {seconds} s."))
        {
            RetryAfterSeconds = seconds,
        };
    }
}
