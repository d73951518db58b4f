export { asyncApiDocument } from './asyncapi.ts';
export { buildPath, type Client, createClient, type Fetch } from './client.ts';
export { type Contract, contract, type RouteId } from './contract.ts';
export { openApiDocument } from './openapi.ts';
export { type Policy, policies, policyRule, type Role, roles } from './policies.ts';
export {
  type AnswerOf,
  type BodyInputOf,
  type BodyOf,
  defineRoute,
  type Listener,
  type ParamsOf,
  type QueryInputOf,
  type QueryOf,
  type Route,
} from './route.ts';
