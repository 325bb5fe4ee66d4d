using Microsoft.AspNetCore.Authentication;

namespace Microsoft.AspNetCore.Authorization;

/// <summary>Adds the policy that lets only the sidecar in.</summary>
public static class DaprAuthorizationOptionsExtensions
{
    /// <summary>A policy that requires the scheme <c>Dapr</c>.</summary>
    public static AuthorizationOptions AddDapr(this AuthorizationOptions options, string name = DaprAuthenticationOptions.DefaultScheme)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.AddPolicy(name, policy => policy.AddAuthenticationSchemes(DaprAuthenticationOptions.DefaultScheme).RequireAuthenticatedUser());
        return options;
    }
}
