using System.Security.Cryptography;
using Dapr.Client;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.Users.Api;
using DaprPlatform.Users.Data;
using DaprPlatform.Users.Domain;
using Microsoft.Extensions.DependencyInjection;
using NSubstitute;

namespace DaprPlatform.Services.Tests.Fixtures;

public sealed class UsersFixture : DatabaseFixture
{
    /// <summary>What the secret store has.</summary>
    internal string SigningKey { get; set; } = NewKey();

    internal static string NewKey()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return key.ExportPkcs8PrivateKeyPem();
    }

    private protected override void AddService(IServiceCollection services)
    {
        AddDatabase<UsersDb>(services);
        var dapr = FakeState.Of<RefreshFamily>();
        dapr.GetSecretAsync(default!, default!).ReturnsForAnyArgs(_ => new Dictionary<string, string> { ["jwt-signing-key"] = SigningKey });
        services.AddSingleton(dapr);
        services.AddSingleton(new JwtOptions("daprplatform", "daprplatform-api"));
        services.AddSingleton(new AccountOptions(TimeSpan.FromMinutes(15), TimeSpan.FromDays(7), 1_000));
        services.AddSingleton<SigningKeys>();
        services.AddSingleton<PasswordHasher>();
        services.AddSingleton<RefreshTokens>();
        services.AddSingleton<UserMetrics>();
        services.AddScoped<Accounts>();
        services.AddScoped<ContactsRpc>();
    }
}
