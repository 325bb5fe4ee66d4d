namespace DaprPlatform.Webhooks.Domain;

/// <param name="AllowPrivate">
/// Addresses of this machine and its networks may be called, and without TLS (<c>WEBHOOK_ALLOW_PRIVATE</c>). For development alone: whoever may register an address
/// could otherwise have this service ask things inside its network.
/// </param>
internal sealed record WebhookOptions(bool AllowPrivate)
{
    public const int MaxPerUser = 10;

    /// <summary>How long an attempt may take in all.</summary>
    public static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Longer than any attempt: then its process is taken for dead and the delivery is due again.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(60);

    /// <summary>How long the secret before the newest is still good.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromHours(24);

    /// <summary>How long the log of deliveries is kept.</summary>
    public static readonly TimeSpan Retention = TimeSpan.FromDays(30);

    private static readonly TimeSpan[] Delays =
    [
        TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(30), TimeSpan.FromHours(2),
        TimeSpan.FromHours(5), TimeSpan.FromHours(10),
    ];

    /// <summary>The last of them is behind most of a day.</summary>
    public static int MaxAttempts => Delays.Length + 1;

    public static WebhookOptions From(IConfiguration configuration) => new(configuration.GetValue("WEBHOOK_ALLOW_PRIVATE", false));

    /// <summary>Until the next attempt, give or take a tenth, so that what failed together does not come back together; null: there is none.</summary>
    /// <param name="attempts">Made so far, from 1.</param>
    /// <param name="random">0 to 1.</param>
    public static TimeSpan? DelayAfter(int attempts, double random) => attempts < MaxAttempts ? Delays[attempts - 1] * (0.9 + (0.2 * random)) : null;
}
