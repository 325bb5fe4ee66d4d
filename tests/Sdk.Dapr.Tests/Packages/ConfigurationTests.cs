using Dapr;
using Dapr.Extensions.Configuration;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Primitives;
using Wire = Dapr.Proto.Runtime.V1;
using WireItem = Dapr.Proto.Common.V1.ConfigurationItem;

namespace DaprPlatform.Sdk.Tests.Packages;

public sealed class ConfigurationTests : SidecarTest
{
    static readonly TimeSpan Wait = TimeSpan.FromMilliseconds(50);

    void SidecarIs(int status) => Sidecar.AnswerHttp = c =>
    {
        c.Response.StatusCode = status;
        return Task.CompletedTask;
    };

    static Task Reloaded(IConfiguration configuration)
    {
        var reloaded = new TaskCompletionSource();
        ChangeToken.OnChange(configuration.GetReloadToken, () => reloaded.TrySetResult());
        return reloaded.Task.WaitAsync(Token);
    }

    [Fact]
    public void Items_become_configuration_after_the_sidecar_is_there()
    {
        Sidecar.Answer("GetConfiguration", new Wire.GetConfigurationResponse { Items = { ["orders:limit"] = new WireItem { Value = "5" } } });
        var configuration = new ConfigurationBuilder().AddDaprConfigurationStore("config", ["orders:limit"], Client, TimeSpan.FromSeconds(5)).Build();
        Assert.Equal("5", configuration["Orders:Limit"]);
        Assert.Equal("/v1.0/healthz/outbound", Assert.Single(Sidecar.Http).Target);
    }

    [Fact]
    public void Without_a_sidecar_the_configuration_cannot_be_built()
    {
        SidecarIs(StatusCodes.Status500InternalServerError);
        Assert.ThrowsAny<OperationCanceledException>(() => new ConfigurationBuilder().AddDaprConfigurationStore("config", [], Client, Wait).Build());
    }

    [Fact]
    public async Task Optional_items_come_when_the_sidecar_does()
    {
        SidecarIs(StatusCodes.Status500InternalServerError);
        Sidecar.Answer("GetConfiguration", new Wire.GetConfigurationResponse { Items = { ["a"] = new WireItem { Value = "5" } } });
        var configuration = new ConfigurationBuilder().AddDaprConfigurationStore("config", [], Client, Wait, optional: true).Build();
        Assert.Null(configuration["a"]);
        var reloaded = Reloaded(configuration);
        SidecarIs(StatusCodes.Status204NoContent);
        await reloaded;
        Assert.Equal("5", configuration["a"]);
    }

    [Fact]
    public async Task Changes_are_followed()
    {
        var configuration = new ConfigurationBuilder().AddStreamingDaprConfigurationStore("config", ["a"], Client, Wait, optional: true).Build();
        await Sidecar.Next<Wire.SubscribeConfigurationRequest>();
        var reloaded = Reloaded(configuration);
        await Sidecar.ToSend.Writer.WriteAsync(new Wire.SubscribeConfigurationResponse { Id = "1" });
        await Sidecar.ToSend.Writer.WriteAsync(new Wire.SubscribeConfigurationResponse { Id = "1", Items = { ["a"] = new WireItem { Value = "6" } } });
        await reloaded;
        Assert.Equal("6", configuration["a"]);
    }

    [Fact]
    public async Task A_subscription_that_broke_is_made_again_and_catches_up()
    {
        var refused = new TaskCompletionSource();
        Sidecar.Answer("SubscribeConfiguration", (_, _) => refused.TrySetResult()
            ? throw new RpcException(new Status(StatusCode.Unavailable, ""))
            : Task.FromResult<Google.Protobuf.IMessage>(new Google.Protobuf.WellKnownTypes.Empty()));
        Sidecar.Answer("GetConfiguration", new Wire.GetConfigurationResponse { Items = { ["a"] = new WireItem { Value = "7" } } });
        await Sidecar.ToSend.Writer.WriteAsync(new Wire.SubscribeConfigurationResponse { Id = "2" });
        var configuration = new ConfigurationBuilder().AddStreamingDaprConfigurationStore("config", ["a"], Client, Wait, optional: true).Build();
        var reloaded = Reloaded(configuration);
        await reloaded;
        Assert.Equal("7", configuration["a"]);
    }

    [Fact]
    public void Secrets_become_configuration_with_sections()
    {
        Sidecar.Answer("GetSecret", (request, _) => Task.FromResult<Google.Protobuf.IMessage>(((Wire.GetSecretRequest)request).Key switch
        {
            "db__password" => new Wire.GetSecretResponse { Data = { ["db__password"] = "pw" } },
            "stored-as" => new Wire.GetSecretResponse { Data = { ["stored-as"] = "x", ["part"] = "y" } },
            _ => throw new RpcException(new Status(StatusCode.NotFound, "none")),
        }));
        var configuration = new ConfigurationBuilder()
            .AddDaprSecretStore("vault", [new DaprSecretDescriptor("db__password"), new DaprSecretDescriptor("known-as", secretKey: "stored-as"), new DaprSecretDescriptor("missing", isRequired: false)], Client)
            .Build();
        Assert.Equal(("pw", "x", "y"), (configuration["db:password"], configuration["known-as"], configuration["part"]));

        Assert.Throws<DaprException>(() => new ConfigurationBuilder().AddDaprSecretStore("vault", [new DaprSecretDescriptor("missing")], Client).Build());
    }

    [Fact]
    public void All_secrets_can_become_configuration()
    {
        Sidecar.Answer("GetBulkSecret", new Wire.GetBulkSecretResponse { Data = { ["a"] = new Wire.SecretResponse { Secrets = { ["a--b"] = "1" } }, ["c"] = new Wire.SecretResponse { Secrets = { ["c"] = "2" } } } });
        var configuration = new ConfigurationBuilder().AddDaprSecretStore("vault", Client, ["--"]).Build();
        Assert.Equal(("1", "2"), (configuration["a:b"], configuration["c"]));
        Assert.Equal("2", new ConfigurationBuilder().AddDaprSecretStore("vault", Client, new Dictionary<string, string> { ["ns"] = "x" }).Build()["c"]);
        Assert.Equal("x", ((Wire.GetBulkSecretRequest)Sidecar.Grpc.Last().Request).Metadata["ns"]);
    }

    [Fact]
    public void Keys_may_be_left_as_they_are()
    {
        Sidecar.Answer("GetBulkSecret", new Wire.GetBulkSecretResponse { Data = { ["a"] = new Wire.SecretResponse { Secrets = { ["a__b"] = "1" } } } });
        var configuration = new ConfigurationBuilder().AddDaprSecretStore(source =>
        {
            source.Store = "vault";
            source.Client = Client;
            source.NormalizeKey = false;
        }).Build();
        Assert.Equal("1", configuration["a__b"]);
    }

    [Fact]
    public void Two_secrets_of_one_name_are_an_error()
    {
        Sidecar.Answer("GetBulkSecret", new Wire.GetBulkSecretResponse { Data = { ["a"] = new Wire.SecretResponse { Secrets = { ["x"] = "1" } }, ["b"] = new Wire.SecretResponse { Secrets = { ["x"] = "2" } } } });
        Assert.Throws<InvalidOperationException>(() => new ConfigurationBuilder().AddDaprSecretStore("vault", Client).Build());
    }
}
