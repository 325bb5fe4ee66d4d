using System.Security.Cryptography;
using DaprPlatform.Contracts.Users;
using DaprPlatform.ServiceDefaults.Auth;
using Grpc.Core;
using Xunit;
using UsersClient = DaprPlatform.Contracts.Users.Users.UsersClient;

namespace DaprPlatform.Services.Tests;

public sealed class RemoteKeysTests : IDisposable
{
    private readonly ManualTime _time = new();
    private readonly FakeUsers _users = new();
    private readonly RemoteKeys _keys;

    public RemoteKeysTests()
    {
        _users.Keys.Add(NewKey());
        _keys = new RemoteKeys(_users, _time);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _keys.Dispose();

    [Fact]
    public async Task A_key_that_came_while_the_users_service_was_started_again_is_found_at_once()
    {
        Assert.NotNull(await _keys.FindAsync(_users.Keys[0].KeyId, Cancel));
        _users.Keys.Insert(0, NewKey());
        // Less than any start takes.
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.NotNull(await _keys.FindAsync(_users.Keys[0].KeyId, Cancel));
        Assert.NotNull(await _keys.FindAsync(_users.Keys[1].KeyId, Cancel));
        Assert.Equal(2, _users.Asked);
    }

    [Fact]
    public async Task Keys_that_nobody_has_cost_the_users_service_one_question_a_second()
    {
        for (var i = 0; i < 20; i++)
        {
            Assert.Null(await _keys.FindAsync($"made-up-{i}", Cancel));
            _time.Advance(TimeSpan.FromMilliseconds(100));
        }

        Assert.Equal(2, _users.Asked);
    }

    private Jwk NewKey()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var signer = new JwtSigner(key.ExportPkcs8PrivateKeyPem(), new JwtOptions("issuer", "audience"), _time);
        return signer.PublicKey;
    }

    private sealed class FakeUsers : UsersClient
    {
        public List<Jwk> Keys { get; } = [];

        public int Asked { get; private set; }

        public override AsyncUnaryCall<KeySet> GetKeysAsync(GetKeysRequest request, CallOptions options)
        {
            Asked++;
            return new AsyncUnaryCall<KeySet>(Task.FromResult(new KeySet { JwksJson = Jwk.WriteSet(Keys) }), Task.FromResult(new Metadata()), () => Status.DefaultSuccess, () => [], () => { });
        }
    }
}
