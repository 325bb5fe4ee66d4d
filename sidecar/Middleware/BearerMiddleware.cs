using DaprPlatform.Sidecar.Components;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Middleware;

/// <summary>
/// Requires a valid OpenID Connect token: <c>issuer</c>, <c>audience</c>, optional <c>jwksURL</c>
/// (https://docs.dapr.io/reference/components-reference/supported-middleware/middleware-bearer/).
/// </summary>
internal sealed partial class BearerMiddleware : HttpMiddleware
{
    private static readonly MiddlewareRefusal Refusal = new(401, "Unauthorized");
    private readonly ComponentSpec _spec;
    private readonly ILogger _logger;
    private JwtVerifier? _verifier;

    public BearerMiddleware(ComponentSpec spec)
    {
        _spec = spec;
        _logger = spec.Loggers.CreateLogger("dapr.middleware.http.bearer");
    }

    public override Task InitAsync(CancellationToken cancellationToken)
    {
        var issuer = _spec.Value("issuer") ?? _spec.Value("issuerURL");
        var audience = _spec.Value("audience") ?? _spec.Value("clientID");
        if (string.IsNullOrEmpty(issuer))
            throw new ComponentException("metadata property 'issuer' is required");
        if (string.IsNullOrEmpty(audience))
            throw new ComponentException("metadata property 'audience' is required");
        _verifier = new JwtVerifier(issuer, audience, _spec.Value("jwksURL"), _spec.Time);
        return Task.CompletedTask;
    }

    public override async ValueTask<MiddlewareRefusal?> HandleAsync(MiddlewareRequest request, CancellationToken cancellationToken)
    {
        const string Scheme = "bearer ";
        if (request.Header("Authorization") is not { } header || !header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            return Refusal;
        try
        {
            await _verifier!.VerifyAsync(header[Scheme.Length..].Trim(), cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (JwtException e)
        {
            LogRefused(e.Message);
            return Refusal;
        }
    }

    public override ValueTask DisposeAsync()
    {
        _verifier?.Dispose();
        return ValueTask.CompletedTask;
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "bearer token refused: {Reason}")]
    private partial void LogRefused(string reason);
}
