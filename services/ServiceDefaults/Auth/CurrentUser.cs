using System.Security.Claims;
using DaprPlatform.Contracts;
using DaprPlatform.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Http;

namespace DaprPlatform.ServiceDefaults.Auth;

/// <summary>Who makes the request. Owners are predicates of queries: <c>Where(o =&gt; o.UserId == user.Id)</c>.</summary>
public sealed class CurrentUser(IHttpContextAccessor accessor)
{
    /// <exception cref="ProblemException">401: the request carries no token of a user.</exception>
    public UserId Id => UserId.TryParse(Principal?.FindFirstValue("sub"), out var id)
        ? id
        : throw Refusals.Unauthorized("unauthorized", "The access token is missing or not valid.");

    public bool IsOperator => Principal is { } principal && (principal.IsInRole(Roles.Operator) || principal.IsInRole(Roles.Admin));

    private ClaimsPrincipal? Principal => accessor.HttpContext?.User;
}

public static class Roles
{
    public const string Customer = "customer";
    public const string Operator = "operator";
    public const string Admin = "admin";
}
