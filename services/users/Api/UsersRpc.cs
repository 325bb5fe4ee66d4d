using DaprPlatform.Contracts.Users;
using DaprPlatform.RestApi;
using Grpc.Core;

namespace DaprPlatform.Users.Api;

/// <summary>The gRPC face of the accounts.</summary>
internal sealed class UsersRpc(IAccounts accounts) : Contracts.Users.Users.UsersBase
{
    public override Task<Session> Register(RegisterRequest request, ServerCallContext context) => accounts.RegisterAsync(request, context.CancellationToken);

    public override Task<Session> Login(LoginRequest request, ServerCallContext context) => accounts.LoginAsync(request, context.CancellationToken);

    public override Task<Session> Refresh(RefreshRequest request, ServerCallContext context) => accounts.RefreshAsync(request, context.CancellationToken);

    public override Task<LogoutResponse> Logout(LogoutRequest request, ServerCallContext context) => accounts.LogoutAsync(request, context.CancellationToken);

    public override Task<UserProfile> GetProfile(GetProfileRequest request, ServerCallContext context) =>
        accounts.GetProfileAsync(request, context.CancellationToken);

    public override Task<UserProfile> UpdateProfile(UpdateProfileRequest request, ServerCallContext context) =>
        accounts.UpdateProfileAsync(request, context.CancellationToken);

    public override Task<KeySet> GetKeys(GetKeysRequest request, ServerCallContext context) => accounts.GetKeysAsync(request, context.CancellationToken);
}
