using System.Globalization;

namespace DaprPlatform.Users.Domain;

/// <param name="AccessTokenLifetime"><c>ACCESS_TOKEN_TTL</c>, as <c>15m</c>, <c>900s</c> or <c>1h</c>.</param>
/// <param name="RefreshTokenLifetime"><c>REFRESH_TOKEN_TTL</c>.</param>
/// <param name="PasswordIterations"><c>PASSWORD_ITERATIONS</c> of PBKDF2 with SHA-512 for new passwords.</param>
internal sealed record AccountOptions(TimeSpan AccessTokenLifetime, TimeSpan RefreshTokenLifetime, int PasswordIterations)
{
    public const int MaxFailedLogins = 5;
    public static readonly TimeSpan LockDuration = TimeSpan.FromMinutes(15);

    public static AccountOptions From(IConfiguration configuration)
    {
        var iterations = configuration.GetValue("PASSWORD_ITERATIONS", 210_000);
        if (iterations is < 1_000 or > 10_000_000)
            throw new InvalidOperationException($"PASSWORD_ITERATIONS must be 1000 to 10000000, not {iterations}.");
        return new AccountOptions(
            Duration(configuration["ACCESS_TOKEN_TTL"] ?? "15m", "ACCESS_TOKEN_TTL"), Duration(configuration["REFRESH_TOKEN_TTL"] ?? "168h", "REFRESH_TOKEN_TTL"), iterations);
    }

    internal static TimeSpan Duration(string text, string name)
    {
        if (text.Length >= 2 && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0)
        {
            switch (text[^1])
            {
                case 's': return TimeSpan.FromSeconds(number);
                case 'm': return TimeSpan.FromMinutes(number);
                case 'h': return TimeSpan.FromHours(number);
                default: break;
            }
        }
        throw new InvalidOperationException($"{name} must be a duration such as 900s, 15m or 168h, not '{text}'.");
    }
}
