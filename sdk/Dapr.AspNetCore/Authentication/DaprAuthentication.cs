using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.AspNetCore.Authentication;

/// <summary>Options of the scheme that lets only the sidecar in.</summary>
public class DaprAuthenticationOptions : AuthenticationSchemeOptions
{
    /// <summary>The scheme's name unless another is given.</summary>
    public const string DefaultScheme = "Dapr";

    /// <summary>The scheme's name.</summary>
    public string Scheme { get; set; } = DefaultScheme;

    /// <summary>The token that the sidecar sends; unless given, <c>APP_API_TOKEN</c> of the configuration or the environment.</summary>
    public string? Token { get; set; }
}

/// <summary>Adds the scheme that lets only the sidecar in.</summary>
public static class DaprAuthenticationBuilderExtensions
{
    /// <summary>Requests must carry the token of the app in the header <c>dapr-api-token</c>.</summary>
    public static AuthenticationBuilder AddDapr(this AuthenticationBuilder builder, Action<DaprAuthenticationOptions>? configureOptions = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddOptions<DaprAuthenticationOptions>(DaprAuthenticationOptions.DefaultScheme)
            .Configure<IServiceProvider>((options, provider) => options.Token ??= Dapr.DaprDefaults.GetDefaultAppApiToken(provider.GetService<IConfiguration>()));
        return builder.AddScheme<DaprAuthenticationOptions, DaprAuthenticationHandler>(DaprAuthenticationOptions.DefaultScheme, configureOptions);
    }
}

internal sealed class DaprAuthenticationHandler(IOptionsMonitor<DaprAuthenticationOptions> options, ILoggerFactory logger, UrlEncoder encoder)
    : AuthenticationHandler<DaprAuthenticationOptions>(options, logger, encoder)
{
    protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(Authenticate());

    AuthenticateResult Authenticate()
    {
        if (!Request.Headers.TryGetValue("dapr-api-token", out var sent))
            return AuthenticateResult.NoResult();
        if (string.IsNullOrWhiteSpace(Options.Token))
            return AuthenticateResult.Fail("The app has no token to compare with: APP_API_TOKEN is not set.");
        if (!CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(sent.ToString()), Encoding.UTF8.GetBytes(Options.Token)))
            return AuthenticateResult.Fail("The token is not that of the app.");
        var identity = new ClaimsIdentity([new Claim(ClaimTypes.NameIdentifier, "Dapr"), new Claim(ClaimTypes.Name, "Dapr")], Scheme.Name);
        return AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), Scheme.Name));
    }
}
