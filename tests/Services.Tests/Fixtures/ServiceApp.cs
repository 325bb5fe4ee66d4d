using System.Net.Http.Headers;
using System.Security.Cryptography;
using DaprPlatform.Contracts;
using DaprPlatform.ServiceDefaults.Auth;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Services.Tests.Fixtures;

/// <summary>
/// A service as its own Program makes it, served in memory, with a signing key of the test. Nothing is behind it: no sidecar, no database, no background work.
/// </summary>
/// <typeparam name="TMember">Any type of the service.</typeparam>
internal sealed class ServiceApp<TMember>(params (string Name, string Value)[] settings) : WebApplicationFactory<TMember>, IServiceApp
    where TMember : class
{
    private static readonly JwtOptions Options = new("daprplatform", "daprplatform-api");
    private readonly JwtSigner _signer = CreateSigner();

    IServiceProvider IServiceApp.Services => Services;

    public HttpClient ClientOf(string? role)
    {
        var client = CreateClient(new WebApplicationFactoryClientOptions { AllowAutoRedirect = false });
        if (role is not null)
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", _signer.Issue(UserId.New().ToString(), [role], TimeSpan.FromMinutes(5)));
        return client;
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseEnvironment("Production");
        builder.UseSetting("POSTGRES_DB", "none");
        builder.UseSetting("POSTGRES_PORT", "1");
        foreach (var (name, value) in settings)
            builder.UseSetting(name, value);
        builder.ConfigureLogging(logging => logging.ClearProviders());
        builder.ConfigureTestServices(services =>
        {
            foreach (var background in services.Where(s => s.ServiceType == typeof(IHostedService) && s.ImplementationType?.Namespace != "Microsoft.AspNetCore.Hosting").ToList())
                services.Remove(background);
            services.AddSingleton<IVerificationKeys>(new LocalKeys(_signer.PublicKey));
        });
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (disposing)
            _signer.Dispose();
    }

    private static JwtSigner CreateSigner()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new JwtSigner(key.ExportPkcs8PrivateKeyPem(), Options, TimeProvider.System);
    }
}

internal interface IServiceApp : IDisposable
{
    IServiceProvider Services { get; }

    HttpClient ClientOf(string? role);
}
