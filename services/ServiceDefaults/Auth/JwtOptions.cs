namespace DaprPlatform.ServiceDefaults.Auth;

/// <summary>What a token must say to be accepted, and what an issued one says.</summary>
/// <param name="Issuer">Claim <c>iss</c>.</param>
/// <param name="Audience">Claim <c>aud</c>.</param>
public sealed record JwtOptions(string Issuer, string Audience)
{
    /// <summary>Clocks of two machines may differ by this much.</summary>
    public TimeSpan ClockSkew { get; init; } = TimeSpan.FromSeconds(30);
}
